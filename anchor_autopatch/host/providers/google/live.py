"""Live sessions of the Google Gen AI SDK: every message that tells usage is one billed turn."""

from __future__ import annotations

from contextvars import ContextVar, Token
from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture.calls import NOTHING, Call, Seen, enforce
from anchor_autopatch.host.capture.layers import active
from anchor_autopatch.host.capture.sessions import Session, Sessions
from anchor_autopatch.host.capture.sites import Site, host_of, site
from anchor_autopatch.host.capture.steps import bound_async
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers.google.sdk import version

__all__ = ("patch", "read_request", "read_usage", "version")

_NAME = "google-genai/live"
_SDK = "google-genai"
OPERATION = "live"
_SHAPE = "gemini.generate_content"
_TURN = "turn"
_connecting: ContextVar[_Connection | None] = ContextVar("anchor_live_connection", default=None)
_open_sessions = Sessions(_NAME)


def patch(live: ModuleType) -> None:
    """Wraps opening, receiving and closing of sessions; `live` is `google.genai.live`."""
    patching.replace(live.AsyncLive, "connect", _wrap_connect)
    patching.replace(live.AsyncSession, "__init__", _wrap_init)
    patching.replace(live.AsyncSession, "_receive", _wrap_receive)
    patching.replace(live.AsyncSession, "close", _wrap_close)


class _Connection:
    """Runs around each step of `connect`, a generator that waits while the session is in use.

    Its first step opens the connection, its second one closes it.
    """

    def __init__(self, client: Any, model: object) -> None:
        self.client = client
        self.model = model if isinstance(model, str) else None
        self.session: Session | None = None
        self._opened = False
        self._call: Call | None = None
        self._tokens: tuple[Token[Any], Token[Any]] | None = None
        guard = guarded(_NAME)
        self._begin = guard(self._begin_step)
        self._end = guard(self._end_step)

    def __enter__(self) -> None:
        self._begin()

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._end(error)

    def _begin_step(self) -> None:
        if self._opened:
            return
        # Sends of this step (an access token) are no calls of the application's.
        self._call = Call(_SDK, f"{OPERATION}_session", self.model, self._site(), stream=True)
        enforce(self._call)
        self._call.billable = False
        self._tokens = _connecting.set(self), active.set(self._call)

    def _end_step(self, error: BaseException | None) -> None:
        if self._opened:
            if self.session is not None:
                self.session.cut(None)
            return
        self._opened = True
        tokens, call = self._tokens, self._call
        if tokens is not None:
            _connecting.reset(tokens[0])
            active.reset(tokens[1])
        if call is not None and isinstance(error, Exception):
            call.fail(error)

    def open(self, session: Any) -> None:
        """Notes the session that the first step has made."""
        if self._call is not None:
            self._call.leave_to_children()
        self.session = Session(_SDK, OPERATION, self.model, self._site())
        _open_sessions.put(session, self.session)

    def _site(self) -> Site:
        client = self.client
        vertex = bool(client.vertexai)
        base = client._http_options.base_url
        host = host_of(base) if base else None
        return site("vertex_ai" if vertex else "gemini", host, client.api_key)


def _wrap_connect(original: Any) -> Any:
    watch = guarded(_NAME)(_watch)

    @wraps(original)
    def connect(self: Any, **kwargs: Any) -> Any:
        manager = original(self, **kwargs)
        watch(self, manager, kwargs)
        return manager

    return connect


def _watch(live: Any, manager: Any, kwargs: dict[str, Any]) -> None:
    if _NAME not in patching.off:
        manager.gen = bound_async(manager.gen, _Connection(live._api_client, kwargs.get("model")))


def _wrap_init(original: Any) -> Any:
    begin = guarded(_NAME)(_begin)

    @wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - the SDK's own name
        original(self, *args, **kwargs)
        begin(self)

    return __init__


def _begin(session: Any) -> None:
    connection = _connecting.get()
    if connection is not None:
        connection.open(session)


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


def _wrap_close(original: Any) -> Any:
    @wraps(original)
    async def close(self: Any) -> Any:
        try:
            return await original(self)
        finally:
            _open_sessions.close(self)

    return close


def _hear(connection: Any, message: Any) -> None:
    session = _open_sessions.get(connection)
    if session is None:
        return
    content = message.server_content
    complete = bool(content is not None and content.turn_complete)
    if message.usage_metadata is not None:
        # Whatever of the turn is still to come, this much of it has been told and is billed.
        session.end(_TURN).succeed(read_usage(OPERATION, message))
        session.told = not complete
    elif complete:
        session.told = False
    elif _speaks(message) and not session.told:
        session.begin(_TURN)


def _speaks(message: Any) -> bool:
    content = message.server_content
    return message.tool_call is not None or (content is not None and content.model_turn is not None)


def read_request(_operation: str, _body: dict[str, Any]) -> dict[str, object] | None:
    """Nothing: the usage tells what the price of a turn depends on."""
    return None


def read_usage(_operation: str, message: Any) -> Seen:
    """Usage of a turn by its names on the wire."""
    usage = message.usage_metadata
    if usage is None:
        return NOTHING
    serializer = type(usage).__pydantic_serializer__
    raw = serializer.to_json(usage, exclude_unset=True, exclude_none=True, by_alias=True)
    return Seen(str(raw, "utf-8"), _SHAPE)
