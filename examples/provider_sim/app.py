"""Which path is answered by which operation.

The usual paths come first as plain routes. Everything else is told by the end of its path, so that
other prefixes work too: Azure deployments, Vertex projects, Gemini's OpenAI endpoint.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from examples.provider_sim import (
    anthropic_wire,
    batches,
    control,
    gemini_live,
    gemini_wire,
    openai_chat,
    openai_common,
    openai_media,
    openai_models,
    openai_realtime,
    openai_responses,
)
from examples.provider_sim.answers import JSON_TYPE, Plain
from examples.provider_sim.calls import Operation
from examples.provider_sim.serving import Build, Endpoint
from examples.provider_sim.sessions import SessionEndpoint, Talk
from examples.provider_sim.state import State
from examples.provider_sim.values import SimulationError, dump


def _openai(name: str, build: Build) -> Endpoint:
    operation = Operation("openai", name, "openai")
    return Endpoint(operation, build, openai_common.usual_headers, openai_common.model_in)


def _anthropic(name: str, build: Build) -> Endpoint:
    operation = Operation("anthropic", name, "anthropic")
    return Endpoint(operation, build, anthropic_wire.usual_headers, anthropic_wire.model_in)


def _gemini(name: str, build: Build) -> Endpoint:
    operation = Operation("gemini", name, "gemini")
    return Endpoint(operation, build, gemini_wire.usual_headers, gemini_wire.model_in)


_CHAT = _openai("chat", openai_chat.chat)
_RESPONSES = _openai("responses", openai_responses.respond)
_MESSAGES = _anthropic("messages", anthropic_wire.messages)
_GENERATE = _gemini("generate_content", gemini_wire.generate)
_IMAGES = _openai("images", openai_media.images)

_POSTED: dict[str, Endpoint] = {
    "/chat/completions": _CHAT,
    "/completions": _openai("completions", openai_chat.completions),
    "/responses": _RESPONSES,
    "/embeddings": _openai("embeddings", openai_media.embeddings),
    "/images/generations": _IMAGES,
    "/images/edits": _IMAGES,
    "/images/variations": _IMAGES,
    "/audio/speech": _openai("speech", openai_media.speech),
    "/audio/transcriptions": _openai("transcriptions", openai_media.transcriptions),
    "/audio/translations": _openai("translations", openai_media.translations),
    "/moderations": _openai("moderations", openai_models.moderations),
    "/messages": _MESSAGES,
    "/messages/count_tokens": _anthropic("count_tokens", anthropic_wire.count_tokens),
    "/files": _openai("files", batches.upload),
    "/batches": _openai("batch", batches.submit),
    "/messages/batches": _anthropic("batch", batches.submit_messages),
    ":generateContent": _GENERATE,
    ":streamGenerateContent": _gemini("generate_content", gemini_wire.stream_generate),
    ":embedContent": _gemini("embeddings", gemini_wire.embed),
    ":batchEmbedContents": _gemini("embeddings", gemini_wire.embed),
    ":predict": _gemini("images", gemini_wire.predict),
    ":countTokens": _gemini("count_tokens", gemini_wire.count_tokens),
    ":rawPredict": _MESSAGES,
    ":streamRawPredict": _MESSAGES,
}


class _ByEnding:
    """POST to any other path: the longest known ending decides, else a 404."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        colon = ":" + path.rpartition(":")[2]
        two = "/" + "/".join(path.split("/")[-2:])
        chosen = (
            _POSTED.get(colon) or _POSTED.get(two) or _POSTED.get("/" + path.rpartition("/")[2])
        )
        await (chosen or _nothing_at(path))(scope, receive, send)


def _nothing_at(path: str) -> Plain:
    error = {"code": 404, "message": f"The simulator has no {path}", "status": "NOT_FOUND"}
    return Plain(404, [JSON_TYPE], dump({"error": error}))


class _Models:
    """GET /v1/models: the one path that all three share; told apart by port, then by header."""

    def __init__(self) -> None:
        self._lists = {
            "openai": _openai("models", openai_models.models),
            "anthropic": _anthropic("models", anthropic_wire.models),
            "gemini": _gemini("models", gemini_wire.models),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state: State = scope["app"].state.sim
        provider = state.ports.get(scope["server"][1]) or _by_header(dict(scope["headers"]))
        await self._lists.get(provider, self._lists["openai"])(scope, receive, send)


def _by_header(headers: dict[bytes, bytes]) -> str:
    if b"anthropic-version" in headers:
        return "anthropic"
    return "gemini" if b"x-goog-api-key" in headers else "openai"


def _session(path: str, wire: str, name: str, talk: Talk) -> WebSocketRoute:
    return WebSocketRoute(path, SessionEndpoint(Operation(wire, name, wire), talk))


def _sessions() -> list[BaseRoute]:
    live = "BidiGenerateContent"
    return [
        _session("/v1/realtime", "openai", "realtime", openai_realtime.realtime),
        _session("/v1/responses", "openai", "responses", openai_realtime.responses),
        _session("/v1/live/sessions", "openai", "live", openai_realtime.live),
        _session("/ws/{service}." + live, "gemini", "live", gemini_live.talk),
        _session("/ws/{service}/" + live, "gemini", "live", gemini_live.talk),
    ]


def _routes() -> list[BaseRoute]:
    post, get = ["POST"], ["GET"]
    one, batch = "/v1/responses/{id}", "/v1/messages/batches/{id}"
    return [
        Route("/v1/chat/completions", _CHAT, methods=post),
        Route("/v1/messages", _MESSAGES, methods=post),
        Route("/v1/responses", _RESPONSES, methods=post),
        *control.routes(),
        *_sessions(),
        Route(one, _openai("retrieve", openai_responses.retrieve), methods=get),
        Route(one, _openai("delete", openai_responses.delete), methods=["DELETE"]),
        Route("/v1/batches/{id}", _openai("batch", batches.retrieve), methods=get),
        Route(f"{batch}/results", _anthropic("batch", batches.results), methods=get),
        Route(batch, _anthropic("batch", batches.retrieve), methods=get),
        Route(f"{one}/cancel", _openai("cancel", openai_responses.cancel), methods=post),
        Route("/v1/models", _Models(), methods=get),
        Route("/v1/models/{model:path}", _openai("models", openai_models.models), methods=get),
        Route("/v1beta/models", _gemini("models", gemini_wire.models), methods=get),
        Route("/{rest:path}", _ByEnding(), methods=post),
    ]


def create_app(ports: dict[int, str] | None = None) -> Starlette:
    """Return the application; `ports` says which provider invoices what arrives at which port."""
    app = Starlette(routes=_routes(), exception_handlers={SimulationError: control.refused})
    app.state.sim = State(ports=ports or {})
    return app
