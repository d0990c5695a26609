"""OpenAI's WebSocket sessions: realtime (GA and beta), responses, live, translations.

Each connection class has its own `recv_bytes`, which every way of reading events passes: iterating,
`recv`, `dispatch_events`, the helpers of `openai.lib`. One `response.done` is one receipt; a
transcription of the input is billed at its own model; a live session bills its seconds once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from types import ModuleType
from typing import Any

from anchor_autopatch.host import configuration, patching
from anchor_autopatch.host.capture.calls import Call, Seen, enforce
from anchor_autopatch.host.capture.sessions import Session, SessionError, Sessions
from anchor_autopatch.host.capture.sites import Site, host_of, site
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers.openai.sdk import read_usage as read_answer
from anchor_autopatch.host.providers.openai.sdk import version
from anchor_autopatch.host.providers.reading import facts, get, text, to_json

__all__ = ("patch", "read_request", "read_usage", "version")

_NAME = "openai/sessions"
_SDK = "openai"
_SHAPE = "openai.realtime"
# Module -> what its connections do.
OPERATIONS = {
    "openai.resources.realtime.realtime": "realtime",
    "openai.resources.beta.realtime.realtime": "realtime",
    "openai.resources.realtime.translations.translations": "realtime_translation",
    "openai.resources.responses.responses": "responses",
    "openai.resources.beta.responses.responses": "responses",
    "openai.resources.live.live": "live",
    "openai.resources.live.forks": "live",
    "openai.resources.live.sideband": "live",
}
_CONNECTION = re.compile(r"(?:Async)?\w+Connection\Z")
_BASE = "openai._websocket_connection"
# A delta holds kilobytes of audio: known by its head (0.5 us, against 4 for reading it through).
_DELTA = re.compile(rb'"type":\s?"[\w.]+\.delta"')
_HEAD_BYTES = 128
# Another event is parsed only when a name of these stands in it.
_TELLS = re.compile(
    rb'"(?:response\.(?:done|created|completed|incomplete|failed|event)'
    rb"|session\.(?:started|created|updated|closed|usage\.updated)"
    rb"|conversation\.item\.input_audio_transcription\.(?:completed|failed)"
    rb'|decision\.event|error)"'
)
_BILLED_BY_TIME = ("live", "realtime_translation")
_SECONDS = "session seconds"
"""The key of the turn that stands for the seconds of a whole live session."""


def patch(module: ModuleType) -> None:
    """Wraps the connection classes of one module of resources."""
    operation = OPERATIONS[module.__name__]
    found = [value for name, value in vars(module).items() if _is_connection(module, name, value)]
    if not found and _opens_sessions(module):
        raise patching.NotPatchableError(f"{module.__name__} has no connection class")
    for connection in found:
        _patch_manager(getattr(module, f"{connection.__name__}Manager"), operation)
        is_async = connection.__name__.startswith("Async")
        patching.replace(connection, "__init__", _opening(operation))
        patching.replace(connection, "recv_bytes", _receiving(is_async))
        _patch_close(connection, is_async)


def _opens_sessions(module: ModuleType) -> bool:
    # openai 1.109 and others have `responses` without sessions: nothing is missed there.
    own = [value for value in vars(module).values() if isinstance(value, type)]
    return any("connect" in vars(one) for one in own if one.__module__ == module.__name__)


def _is_connection(module: ModuleType, name: str, value: object) -> bool:
    return (
        isinstance(value, type)
        and value.__module__ == module.__name__
        and _CONNECTION.match(name) is not None
        and "recv_bytes" in vars(value)
    )


def _patch_manager(manager: Any, operation: str) -> None:
    for name in ("__enter__", "__aenter__", "enter"):
        if name in vars(manager):
            patching.replace(manager, name, _entering(operation))


def _patch_close(connection: Any, is_async: bool) -> None:
    # From 3.0 on `close` is that of a common base class.
    for owner in connection.__mro__:
        if "close" in vars(owner) and owner.__module__ in (connection.__module__, _BASE):
            patching.replace(owner, "close", _closing(is_async))
            return


_open_sessions = Sessions(_NAME)


def _entering(operation: str) -> Callable[[Any], Any]:
    refused = guarded(_NAME)(_refused)
    ask = guarded(_NAME)(_ask)

    def make(original: Any) -> Any:
        @wraps(original)
        def enter(manager: Any) -> Any:
            ask(manager, operation)
            try:
                return original(manager)
            except Exception as error:
                refused(manager, operation, error)
                raise

        @wraps(original)
        async def enter_async(manager: Any) -> Any:
            ask(manager, operation)
            try:
                return await original(manager)
            except Exception as error:
                refused(manager, operation, error)
                raise

        return enter_async if iscoroutinefunction(original) else enter

    return make


def _ask(manager: Any, operation: str) -> None:
    """Lets the policy refuse the session before it is opened."""
    if configuration.may_refuse():
        enforce(_session_call(manager, operation))


def _refused(manager: Any, operation: str, error: Exception) -> None:
    """Leaves the event of a session that did not come about."""
    call = _session_call(manager, operation)
    call.billable = False
    call.fail(error)


def _session_call(manager: Any, operation: str) -> Call:
    client = next(value for name, value in vars(manager).items() if name.endswith("__client"))
    key = client.api_key if isinstance(client.api_key, str) else None
    place = site(_SDK, host_of(client.base_url), key)
    return Call(_SDK, f"{operation}_session", None, place, stream=True)


def _opening(operation: str) -> Callable[[Any], Any]:
    begin = guarded(_NAME)(_begin)

    def make(original: Any) -> Any:
        @wraps(original)
        def __init__(connection: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            original(connection, *args, **kwargs)
            begin(connection, operation)

        return __init__

    return make


def _receiving(is_async: bool) -> Callable[[Any], Any]:
    hear = guarded(_NAME)(_hear)

    def make(original: Any) -> Any:
        @wraps(original)
        def recv_bytes(connection: Any) -> Any:
            try:
                message = original(connection)
            except Exception as error:
                _lost(connection, error)
                raise
            hear(connection, message)
            return message

        @wraps(original)
        async def recv_bytes_async(connection: Any) -> Any:
            try:
                message = await original(connection)
            except Exception as error:
                _lost(connection, error)
                raise
            hear(connection, message)
            return message

        return recv_bytes_async if is_async else recv_bytes

    return make


def _closing(is_async: bool) -> Callable[[Any], Any]:
    def make(original: Any) -> Any:
        @wraps(original)
        def close(connection: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return original(connection, *args, **kwargs)
            finally:
                _open_sessions.close(connection)

        @wraps(original)
        async def close_async(connection: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return await original(connection, *args, **kwargs)
            finally:
                _open_sessions.close(connection)

        return close_async if is_async else close

    return make


@guarded(_NAME)
def _lost(connection: Any, error: Exception) -> None:
    kind = type(error).__name__
    if kind == "ConnectionClosedOK":
        _open_sessions.close(connection)
    elif kind.startswith("ConnectionClosed"):
        _open_sessions.close(connection, error)


def _begin(connection: Any, operation: str) -> None:
    if _NAME in patching.off:
        return
    request = getattr(connection._connection, "request", None)
    path = getattr(request, "path", "")
    model = re.search(r"[?&]model=([^&]+)", path)
    session = Session(_SDK, operation, model[1] if model else None, _site(request))
    attached = re.search(r"/live/sessions/([^/?]+)/attach", path)
    session.id = attached[1] if attached else None
    session.beside = attached is not None
    _open_sessions.put(connection, session)


def _site(request: Any) -> Site | None:
    if request is None:
        return None
    key = request.headers.get("api-key") or request.headers.get("Authorization") or ""
    return site(_SDK, host_of(request.headers.get("Host")), key.removeprefix("Bearer ") or None)


def _hear(connection: Any, message: bytes | str) -> None:
    data = message.encode() if isinstance(message, str) else message
    session = _open_sessions.get(connection)
    if session is None or _DELTA.search(data, 0, _HEAD_BYTES) or _NAME in patching.off:
        return
    if _TELLS.search(data) is None:
        return
    event = json.loads(data)
    listener = _LISTENERS.get(event.get("type"))
    if listener is not None:
        listener(session, event)


def _responding(session: Session, event: dict[str, Any]) -> None:
    answer = event.get("response") or {}
    call = session.begin(_key(answer), model=text(answer, "model"))
    call.reader = _Begun(read_usage(session, answer))


def _responded(session: Session, event: dict[str, Any]) -> None:
    answer = event.get("response") or {}
    call = session.end(_key(answer), model=text(answer, "model"))
    call.billable = True
    seen = read_usage(session, answer)
    status = text(answer, "status")
    if status == "failed":
        error = get(answer, "error") or get(get(answer, "status_details"), "error")
        told = SessionError(error if isinstance(error, dict) else {})
        call.fail(told, seen, answered=seen.raw_usage is not None)
    elif status == "cancelled":
        # Interrupted by the user: what was generated until then is billed.
        call.cut_short(seen)
    else:
        call.succeed(seen)


def _key(answer: dict[str, Any]) -> str:
    return text(answer, "id") or "response"


class _Begun:
    """What is known of a response that has begun."""

    begun = True

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def seen(self) -> Seen:
        return self._seen


def read_request(_operation: str, _body: dict[str, Any]) -> dict[str, object] | None:
    """Nothing: the answers tell what their price depends on."""
    return None


def read_usage(session: Session, answer: dict[str, Any]) -> Seen:
    """Usage of a response: in the shape of the Responses API where it names its model."""
    if text(answer, "model") is not None:
        return read_answer("responses", answer)
    usage = to_json(get(answer, "usage"))
    return Seen(usage, _SHAPE if usage else None, session.model, text(answer, "id"))


def _settled(session: Session, event: dict[str, Any]) -> None:
    """Notes the resolved model of the session, and the one that transcribes its input."""
    settings = event.get("session") or {}
    session.id = text(settings, "id") or session.id
    session.model = text(settings, "model") or session.model
    heard = get(get(settings, "audio"), "input")
    transcriber = get(heard, "transcription") or get(settings, "input_audio_transcription")
    session.transcriber = text(transcriber, "model") or session.transcriber
    if session.operation in _BILLED_BY_TIME:
        session.begin(_SECONDS)


def _transcribed(session: Session, event: dict[str, Any]) -> None:
    usage = to_json(event.get("usage"))
    model = session.transcriber
    key = text(event, "item_id") or "transcription"
    call = session.end(f"heard {key}", "transcription", model)
    call.succeed(Seen(usage, "openai.transcription" if usage else None, model, key))


def _reported(session: Session, event: dict[str, Any]) -> None:
    """Takes a cumulative report of a live session: the last one holds."""
    usage = to_json(event.get("usage"))
    if event.get("session"):
        # A listener that came late knows its session from here.
        _settled(session, event)
    seen = Seen(usage, _SHAPE if usage else None, session.model, session.id)
    if event["type"] == "session.closed":
        # A translation's end tells no seconds: its receipt says that they are not known.
        session.end(_SECONDS).succeed(seen)
    else:
        session.begin(_SECONDS).reader = _Begun(seen._replace(source="partial"))


def _delegated(session: Session, event: dict[str, Any]) -> None:
    inner = event.get("event") or {}
    kind = inner.get("type")
    if kind == "response.created" or kind in _ENDS:
        _LISTENERS[kind](session, inner)


def _decided(session: Session, event: dict[str, Any]) -> None:
    decision = get(event.get("event"), "decision")
    usage = to_json(get(decision, "usage"))
    call = session.end(f"decision {event.get('event_id')}", "decision", text(decision, "model"))
    call.succeed(
        Seen(
            usage,
            "openai.responses" if usage else None,
            text(decision, "model"),
            text(decision, "id"),
            facts(decision, "service_tier"),
        )
    )


def _failed(session: Session, event: dict[str, Any]) -> None:
    error = event.get("error")
    session.refused(SessionError(error if isinstance(error, dict) else {}))


_ENDS = ("response.done", "response.completed", "response.incomplete", "response.failed")
_LISTENERS: dict[str, Callable[[Session, dict[str, Any]], None]] = {
    "response.created": _responding,
    **dict.fromkeys(_ENDS, _responded),
    "response.event": _delegated,
    "decision.event": _decided,
    **dict.fromkeys(("session.created", "session.updated", "session.started"), _settled),
    **dict.fromkeys(("session.usage.updated", "session.closed"), _reported),
    "conversation.item.input_audio_transcription.completed": _transcribed,
    "conversation.item.input_audio_transcription.failed": _failed,
    "error": _failed,
}
