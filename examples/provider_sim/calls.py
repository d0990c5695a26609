"""One request as the wires see it: who asks, for what model, with which body and which wishes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from starlette.requests import Request

from examples.provider_sim.ledger import Ledger
from examples.provider_sim.plans import NO_WISHES, Plan, body_wishes, header_wishes, make_plan
from examples.provider_sim.state import State
from examples.provider_sim.values import Json, SimulationError

_KEY_HEADERS = {b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"}


class Operation(NamedTuple):
    """Wire family, name in the ledger, and who invoices when the port does not say."""

    wire: str
    name: str
    provider: str


@dataclass(frozen=True, slots=True)
class Call:
    """One request; `model` is the requested name, `provider` who invoices it."""

    state: State
    request: Request
    operation: Operation
    provider: str
    path: str
    model: str
    body: Json
    raw: bytes
    plan: Plan
    at: datetime
    request_id: str
    api_key_id: str | None
    project: str | None
    attempt: str | None
    ledger: Ledger
    """The one that was open when the call came in: what is reset meanwhile stays reset."""

    @property
    def created(self) -> int:
        """The request instant in whole Unix seconds."""
        return int(self.at.timestamp())

    @property
    def wants_stream(self) -> bool:
        """Whether the body asks for a stream (the OpenAI and Anthropic way)."""
        return self.body.get("stream") is True

    def fault(self, kind: str) -> bool:
        """Say whether this call is to suffer the given failure."""
        return self.plan.fail is not None and self.plan.fail.kind == kind


class BodyError(SimulationError):
    """A request body that should be JSON but is not."""


async def read_call(request: Request, operation: Operation, model: str | None = None) -> Call:
    """Read the request and settle its wishes.

    Raises:
        BodyError: for a body that is not a JSON object (form data is left unread in `raw`).
        WishError: for a wish that is not understood.
    """
    state: State = request.app.state.sim
    raw = await request.body()
    headers: list[tuple[bytes, bytes]] = request.scope["headers"]
    body = _json_body(raw, headers)
    path: str = request.scope["path"]
    # The port outranks the path: a host decides who sends the invoice, whatever wire it speaks.
    provider = (
        state.ports.get(request.scope["server"][1]) or _provider_of(path) or operation.provider
    )
    asked = model or str(body.get("model") or "")
    if not body and not asked:
        asked = _form_value(raw, b"model") or ""
    known = _known_headers(headers)
    with state.lock:
        wishes = state.script.take(provider, path, asked)
    wishes = {**wishes, **header_wishes(headers), **body_wishes(body, raw)}
    return Call(
        state=state,
        request=request,
        operation=operation,
        provider=provider,
        path=path,
        model=asked,
        body=body,
        raw=raw,
        plan=make_plan(wishes) if wishes else NO_WISHES,
        at=state.clock.now(),
        request_id=state.ids.new("req_", 32 if operation.wire == "openai" else 24),
        api_key_id=_key_id(headers, request.scope["query_string"]),
        project=known.get(b"openai-project"),
        attempt=known.get(b"x-stainless-retry-count"),
        ledger=state.ledger,
    )


def session_call(
    request: Request, operation: Operation, model: str, body: Json, moment: str = ""
) -> Call:
    """Return one turn of a session as a call; `request` is the one that opened the session.

    A script's rule finds it at its path and `moment`: `/v1/realtime#open`, `/v1/realtime#turn`.

    Raises:
        WishError: for a wish that is not understood.
    """
    state: State = request.app.state.sim
    headers: list[tuple[bytes, bytes]] = request.scope["headers"]
    path: str = request.scope["path"]
    provider = state.ports.get(request.scope["server"][1]) or operation.provider
    with state.lock:
        wishes = state.script.take(provider, path + moment, model) if moment else {}
    wishes = {**wishes, **header_wishes(headers), **body_wishes(body, b"")}
    return Call(
        state=state,
        ledger=state.ledger,
        request=request,
        operation=operation,
        provider=provider,
        path=path,
        model=model,
        body=body,
        raw=b"",
        plan=make_plan(wishes) if wishes else NO_WISHES,
        at=state.clock.now(),
        request_id=state.ids.new("req_", 32 if operation.wire == "openai" else 24),
        api_key_id=_key_id(headers, request.scope["query_string"]),
        project=_known_headers(headers).get(b"openai-project"),
        attempt=None,
    )


def _provider_of(path: str) -> str | None:
    """Return who invoices a path of another host's shape, where the port does not say."""
    if path.startswith("/openai/"):
        return "azure"
    if path.startswith("/v1beta/openai/"):
        return "gemini"
    return "vertex_ai" if "/publishers/" in path else None


def _json_body(raw: bytes, headers: list[tuple[bytes, bytes]]) -> Json:
    if not raw or any(name == b"content-type" and b"multipart" in value for name, value in headers):
        return {}
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise BodyError("The request body is not valid JSON") from error
    if not isinstance(body, dict):
        raise BodyError("The request body is not a JSON object")
    return body


def _form_value(raw: bytes, name: bytes) -> str | None:
    """Return a small text field of a multipart body; the files in it stay unread."""
    # Enough for what SDKs send, and one dependency (python-multipart) less.
    _, found, rest = raw.partition(b'name="' + name + b'"\r\n\r\n')
    return rest.split(b"\r\n", 1)[0].decode("utf-8", "replace") if found else None


def form_fields(call: Call, *names: str) -> dict[str, str]:
    """Return the named text fields of a multipart call that are present."""
    found = {name: _form_value(call.raw, name.encode()) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _known_headers(headers: list[tuple[bytes, bytes]]) -> dict[bytes, str]:
    wanted = (b"openai-project", b"x-stainless-retry-count")
    return {name: value.decode("latin-1") for name, value in headers if name in wanted}


def _key_id(headers: list[tuple[bytes, bytes]], query: bytes) -> str | None:
    for name, value in headers:
        if name in _KEY_HEADERS:
            return _hashed(value.removeprefix(b"Bearer "))
    for pair in query.split(b"&"):
        if pair.startswith(b"key="):
            return _hashed(pair[4:])
    return None


def _hashed(key: bytes) -> str:
    # The ledger is printed and compared: no key in it, not even a made-up one.
    return "key_" + hashlib.sha256(key).hexdigest()[:12]
