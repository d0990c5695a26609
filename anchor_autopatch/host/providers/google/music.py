"""Live music of the Google Gen AI SDK: a session that tells no usage is billed by what it played.

Source: google.genai.live_music of google-genai 1.75 to 3.4: 16 bits, two channels, 48 kHz (the
guide to Lyria RealTime, read 2026-11).
"""

from __future__ import annotations

from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture.calls import Seen
from anchor_autopatch.host.capture.identity import ObjectMemo
from anchor_autopatch.host.capture.sessions import Session, Sessions, ask
from anchor_autopatch.host.capture.sites import Site, host_of, site
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers.google.sdk import version

__all__ = ("OPERATION", "patch", "version")

_NAME = "google-genai/music"
_SDK = "google-genai"
OPERATION = "music"
_BYTES_PER_SECOND = 48_000 * 2 * 2
_open_sessions = Sessions(_NAME)
_models: ObjectMemo[str] = ObjectMemo()
"""The model that a client last asked a session of: the session itself does not know it."""


def patch(live_music: ModuleType) -> None:
    """Wraps opening, receiving and closing; `live_music` is `google.genai.live_music`."""
    patching.replace(live_music.AsyncLiveMusic, "connect", _wrap_connect)
    patching.replace(live_music.AsyncMusicSession, "__init__", _wrap_init)
    patching.replace(live_music.AsyncMusicSession, "_receive", _wrap_receive)
    patching.replace(live_music.AsyncMusicSession, "close", _wrap_close)


class _Playing:
    """What has been heard of a session so far."""

    begun = True

    def __init__(self) -> None:
        self.bytes = 0

    def seen(self) -> Seen:
        return Seen(facts={"output_seconds": round(self.bytes / _BYTES_PER_SECOND, 3)})


def _wrap_connect(original: Any) -> Any:
    note = guarded(_NAME)(_note)

    @wraps(original)
    def connect(self: Any, **kwargs: Any) -> Any:
        note(self._api_client, str(kwargs.get("model")))
        return original(self, **kwargs)

    return connect


def _note(client: Any, model: str) -> None:
    _models.put(client, model)
    ask(_SDK, OPERATION, _model(client), _site(client))


def _model(client: Any) -> str | None:
    return (_models.get(client) or "").rpartition("/")[2] or None


def _site(client: Any) -> Site:
    return site("gemini", host_of(client._http_options.base_url), client.api_key)


def _wrap_init(original: Any) -> Any:
    begin = guarded(_NAME)(_begin)

    @wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - the SDK's own name
        original(self, *args, **kwargs)
        begin(self)

    return __init__


def _begin(connection: Any) -> None:
    if _NAME in patching.off:
        return
    client = connection._api_client
    session = Session(_SDK, OPERATION, _model(client), _site(client))
    _open_sessions.put(connection, session)
    # One turn, from its opening to its end: what was played of it is what it made.
    session.begin(OPERATION).reader = _Playing()


def _wrap_receive(original: Any) -> Any:
    hear = guarded(_NAME)(_hear)

    @wraps(original)
    async def _receive(self: Any) -> Any:
        try:
            message = await original(self)
        except Exception as error:
            _open_sessions.close(self, error)
            raise
        hear(self, message)
        return message

    return _receive


def _hear(connection: Any, message: Any) -> None:
    session = _open_sessions.get(connection)
    content = getattr(message, "server_content", None)
    if session is None or content is None:
        return
    playing = session.begin(OPERATION).reader
    for chunk in getattr(content, "audio_chunks", None) or ():
        playing.bytes += len(chunk.data or b"")


def _wrap_close(original: Any) -> Any:
    end = guarded(_NAME)(_end)

    @wraps(original)
    async def close(self: Any) -> Any:
        try:
            return await original(self)
        finally:
            end(self)

    return close


def _end(connection: Any) -> None:
    session = _open_sessions.pop(connection)
    if session is not None:
        call = session.end(OPERATION)
        call.succeed(call.reader.seen())
