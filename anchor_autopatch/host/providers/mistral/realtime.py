"""Mistral's WebSocket sessions: speech to text, and text to speech from version 3 on.

Each event passes `_apply_session_updates` of its connection, whoever reads it. The one that ends a
turn tells the usage of the whole turn.
"""

from __future__ import annotations

import re
from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture.sessions import Session, SessionError, Sessions
from anchor_autopatch.host.capture.sites import Site, host_of, site
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers.mistral.sdk import read_request, read_usage, version
from anchor_autopatch.host.providers.reading import get, text

__all__ = ("OPERATIONS", "patch", "read_request", "read_usage", "version")

_NAME = "mistralai/realtime"
_SDK = "mistralai"
# Module -> what its connections do.
OPERATIONS = {
    "mistralai.extra.realtime.connection": "transcription",
    "mistralai.extra.realtime.speech": "speech",
}
_CONNECTIONS = ("RealtimeConnection", "RealtimeSpeechConnection")
_TURN = "turn"
_SETTLED = ("session.created", "session.updated")
_BEGUN = ("transcription.text.delta", "transcription.segment", "speech.audio.delta")
_DONE = ("transcription.done", "speech.audio.done")
_open_sessions = Sessions(_NAME)


def patch(module: ModuleType) -> None:
    """Wraps the connection class of one of the modules."""
    own = [getattr(module, name, None) for name in _CONNECTIONS]
    found = [value for value in own if getattr(value, "__module__", "") == module.__name__]
    if not found:
        raise patching.NotPatchableError(f"{module.__name__} has no connection class")
    for connection in found:
        patching.replace(connection, "__init__", _opening(OPERATIONS[module.__name__]))
        patching.replace(connection, "_apply_session_updates", _wrap_event)
        patching.replace(connection, "close", _wrap_close)


def _opening(operation: str) -> Any:
    begin = guarded(_NAME)(_begin)

    def make(original: Any) -> Any:
        @wraps(original)
        def __init__(connection: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            original(connection, *args, **kwargs)
            begin(connection, operation)

        return __init__

    return make


def _begin(connection: Any, operation: str) -> None:
    if _NAME in patching.off:
        return
    request = getattr(connection._websocket, "request", None)
    model = re.search(r"[?&]model=([^&]+)", getattr(request, "path", ""))
    session = Session(_SDK, operation, model[1] if model else None, _site(request))
    _open_sessions.put(connection, session)


def _site(request: Any) -> Site | None:
    if request is None:
        return None
    key = request.headers.get("Authorization") or ""
    host = host_of(request.headers.get("Host"))
    return site("mistral", host, key.removeprefix("Bearer ") or None)


def _wrap_event(original: Any) -> Any:
    hear = guarded(_NAME)(_hear)

    @wraps(original)
    def _apply_session_updates(connection: Any, ev: Any) -> Any:
        hear(connection, ev)
        return original(connection, ev)

    return _apply_session_updates


def _hear(connection: Any, event: Any) -> None:
    session = _open_sessions.get(connection)
    if session is None or _NAME in patching.off:
        return
    kind = get(event, "type")
    if kind in _SETTLED:
        session.model = text(get(event, "session"), "model") or session.model
    elif kind in _BEGUN:
        session.begin(_TURN)
    elif kind in _DONE:
        # An event that the SDK could not parse has its fields in `content`.
        content = get(event, "content")
        told = content if isinstance(content, dict) else event
        seen = read_usage(session.operation, {"usage": get(told, "usage")})
        model = text(told, "model") or session.model
        session.end(_TURN).succeed(seen._replace(model=model))
    elif kind == "error":
        error = get(event, "error")
        message = get(error, "message")
        session.refused(SessionError({"message": str(message or ""), "code": get(error, "code")}))


def _wrap_close(original: Any) -> Any:
    @wraps(original)
    async def close(connection: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await original(connection, *args, **kwargs)
        finally:
            _open_sessions.close(connection)

    return close
