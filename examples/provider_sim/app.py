"""Which path is answered by which operation."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from examples.provider_sim import anthropic_wire, control, gemini_wire, openai_chat, openai_common, openai_models
from examples.provider_sim.calls import Operation
from examples.provider_sim.serving import JSON_TYPE, Build, Endpoint, Plain
from examples.provider_sim.state import State
from examples.provider_sim.values import dump


def _openai(name: str, build: Build) -> Endpoint:
    return Endpoint(Operation("openai", name, "openai"), build, openai_common.usual_headers)


def _anthropic(name: str, build: Build) -> Endpoint:
    return Endpoint(Operation("anthropic", name, "anthropic"), build, anthropic_wire.usual_headers)


def _gemini(name: str, build: Build) -> Endpoint:
    operation = Operation("gemini", name, "gemini")
    return Endpoint(operation, build, gemini_wire.usual_headers, gemini_wire.model_in)


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


class _GeminiMethods:
    """POST .../models/{model}:{method}, with or without project, location and publisher before it."""

    def __init__(self) -> None:
        self._methods = {
            "generateContent": _gemini("generate_content", gemini_wire.generate),
            "streamGenerateContent": _gemini("generate_content", gemini_wire.stream_generate),
            "embedContent": _gemini("embeddings", gemini_wire.embed),
            "batchEmbedContents": _gemini("embeddings", gemini_wire.embed),
            "predict": _gemini("images", gemini_wire.predict),
            "countTokens": _gemini("count_tokens", gemini_wire.count_tokens),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        chosen = self._methods.get(scope["path"].rpartition(":")[2])
        if chosen is None:
            error = {"code": 404, "message": f"The simulator has no {scope['path']}", "status": "NOT_FOUND"}
            await Plain(404, [JSON_TYPE], dump({"error": error}))(scope, receive, send)
            return
        await chosen(scope, receive, send)


def _routes() -> list[BaseRoute]:
    post, get = ["POST"], ["GET"]
    return [
        Route("/v1/chat/completions", _openai("chat", openai_chat.chat), methods=post),
        Route("/v1/messages", _anthropic("messages", anthropic_wire.messages), methods=post),
        Route("/v1beta/{rest:path}", _GeminiMethods(), methods=post),
        Route("/v1/completions", _openai("completions", openai_chat.completions), methods=post),
        Route("/v1/moderations", _openai("moderations", openai_models.moderations), methods=post),
        Route("/v1/messages/count_tokens", _anthropic("count_tokens", anthropic_wire.count_tokens), methods=post),
        Route("/v1/models", _Models(), methods=get),
        Route("/v1/models/{rest:path}", _GeminiMethods(), methods=post),
        Route("/v1/models/{model:path}", _openai("models", openai_models.models), methods=get),
        Route("/v1beta/models", _gemini("models", gemini_wire.models), methods=get),
        Route("/v1beta1/{rest:path}", _GeminiMethods(), methods=post),
        *control.routes(),
    ]


def create_app(ports: dict[int, str] | None = None) -> Starlette:
    """Return the application; `ports` says which provider invoices what arrives at which port."""
    app = Starlette(routes=_routes())
    app.state.sim = State(ports=ports or {})
    return app
