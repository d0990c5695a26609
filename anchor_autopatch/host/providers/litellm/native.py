"""LiteLLM's native routes, 1.106 and later: what its Rust half sends passes no client of Python's.

OCR and Bedrock's transcription have no other way, messages of Anthropic have it by choice. One
class stands before all of them, `PublicDispatch`, whose `native` is called only where the native
half is to answer; it may decline, and then Python asks.
"""

from __future__ import annotations

from contextvars import Token
from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture import streams
from anchor_autopatch.host.capture.calls import Call, Seen, enforce
from anchor_autopatch.host.capture.evidence import Counts
from anchor_autopatch.host.capture.layers import active, leave_context
from anchor_autopatch.host.capture.sites import host_of, site
from anchor_autopatch.host.clients import bodies
from anchor_autopatch.host.clients.exchange import HTTPStatusError
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers.anthropic import sdk as anthropic
from anchor_autopatch.host.providers.litellm.reading import NAME, read_usage
from anchor_autopatch.host.providers.openai import sdk as openai
from anchor_autopatch.host.providers.reading import get, text

_OPERATIONS = {
    "chat_completions": "chat",
    "embeddings": "embeddings",
    "messages": "chat",
    "responses": "responses",
    "transcription": "transcription",
    "ocr": "ocr",
}
_BRIDGE = "litellm.rust_bridge."
_DECLINED, _UPSTREAM = "RustBridgeDeclined", "RustUpstreamError"


def version() -> str | None:
    """None: whether LiteLLM is patched at all is decided at its decorator."""
    return None


def patch(dispatch: ModuleType) -> None:
    """Wraps the way into the native half; `dispatch` is `litellm.rust_bridge.dispatch`."""
    patching.replace(dispatch.PublicDispatch, "run", _wrap)
    patching.replace(dispatch.PublicDispatch, "arun", _wrap_async)


def _wrap(original: Any) -> Any:
    @wraps(original)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, *args, **_with_native(kwargs, _watched, self))

    return run


def _wrap_async(original: Any) -> Any:
    @wraps(original)
    async def arun(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await original(self, *args, **_with_native(kwargs, _watched_async, self))

    return arun


def _with_native(kwargs: dict[str, Any], watched: Any, dispatch: Any) -> dict[str, Any]:
    """The arguments with the native function watched; without one, LiteLLM's own error comes."""
    native = kwargs.get("native")
    return {**kwargs, "native": watched(dispatch, native)} if native is not None else kwargs


def _watched(dispatch: Any, native: Any) -> Any:
    def call(hook: Any, request: Any, args: Any, kwargs: Any) -> Any:
        with _Running(dispatch, request, kwargs) as running:
            return running.gave(native(hook, request, args, kwargs))

    return call


def _watched_async(dispatch: Any, native: Any) -> Any:
    async def call(hook: Any, request: Any, args: Any, kwargs: Any) -> Any:
        with _Running(dispatch, request, kwargs) as running:
            return running.gave(await native(hook, request, args, kwargs))

    return call


class _Running:
    """One native call: open while its block runs, ended by how the block ends."""

    __slots__ = ("_call", "_result", "_token")

    def __init__(self, dispatch: Any, request: Any, kwargs: Any) -> None:
        self._call = _open(dispatch, request, kwargs)
        self._result: Any = None
        self._token: Token[Call | None] | None = None

    def __enter__(self) -> _Running:
        if self._call is not None:
            enforce(self._call)
            self._token = active.set(self._call)
        return self

    def gave(self, result: Any) -> Any:
        """The result, which the call ends with."""
        self._result = result
        return result

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._call is None or self._token is None:
            return
        if error is not None:
            _fail(self._call, error)
        leave_context(self._token)
        if error is None:
            _close(self._call, self._result)


@guarded(NAME)
def _open(dispatch: Any, request: Any, kwargs: Any) -> Call | None:
    route = getattr(dispatch.route, "value", "")
    operation = _OPERATIONS.get(route)
    if operation is None or NAME in patching.off:
        return None
    asked = dispatch.context(request)
    base, key = kwargs.get("api_base") or kwargs.get("base_url"), kwargs.get("api_key")
    place = site(
        asked.provider or "unmapped",
        host_of(base) if base else None,
        key if isinstance(key, str) else None,
    )
    call = Call(NAME, operation, asked.model, place, stream=bool(kwargs.get("stream")))
    call.reader = route
    return call


@guarded(NAME)
def _fail(call: Call, error: BaseException) -> None:
    kind = type(error).__name__
    if kind == _DECLINED:
        # Python asks instead.
        call.leave_to_children()
    elif kind == _UPSTREAM and error.args and isinstance(error.args[0], int):
        status, words = error.args[0], str(error.args[-1])
        call.fail(HTTPStatusError(status, {"message": words}) if status else error)
    else:
        call.fail(error)


@guarded(NAME)
def _close(call: Call, result: Any) -> None:
    call.adopted()
    call.http_status = 200
    kind = type(result)
    if kind.__module__.startswith(_BRIDGE) and call.reader == "messages":
        # Its own stream classes, in a module that moves from version to version.
        patching.replace_if_present(kind, "__anext__", _wrap_anext)
        patching.replace_if_present(kind, "__next__", _wrap_next)
        call.reader = _Reader()
        streams.watch(result, call)
        return
    call.succeed(_read(call.reader, call.operation, result), result)


def _read(route: str, operation: str, answer: Any) -> Seen:
    if route == "messages":
        return anthropic.read_usage(operation, answer)
    if route == "responses":
        return openai.read_usage(operation, answer)
    if route == "ocr":
        pages = get(get(answer, "usage_info"), "pages_processed")
        counted: dict[str, object] | None = {"pages": pages} if isinstance(pages, int) else None
        return Seen(model=text(answer, "model"), facts=counted)
    return read_usage(operation, answer)


class _Reader(Counts):
    """Reads a stream of the native half: bytes of server-sent events, as they were on the wire."""

    reads_text = False

    def __init__(self) -> None:
        self.begun = False
        self._events = bodies.Events(anthropic.FAMILY.stream_reader("chat", False))

    def feed(self, chunk: Any) -> bool:
        self.begun = True
        self._events.feed(chunk if isinstance(chunk, bytes) else str(chunk).encode())
        self.chunks = self._events.chunks
        return False

    def seen(self) -> Seen:
        return self._events.seen()

    def complete(self) -> bool:
        return self._events.complete()


def _wrap_next(original: Any) -> Any:
    @wraps(original)
    def __next__(self: Any) -> Any:  # noqa: N807 - the SDK's own name
        with _Step(self) as step:
            return step.gave(original(self))

    return __next__


def _wrap_anext(original: Any) -> Any:
    @wraps(original)
    async def __anext__(self: Any) -> Any:  # noqa: N807 - the SDK's own name
        with _Step(self) as step:
            return step.gave(await original(self))

    return __anext__


class _Step:
    """One step of a stream of the native half."""

    __slots__ = ("_stream",)

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __enter__(self) -> _Step:
        return self

    def gave(self, chunk: Any) -> Any:
        """The chunk, noted."""
        _take(self._stream, chunk)
        return chunk

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, (StopIteration, StopAsyncIteration)):
            streams.leave_response(self._stream)
        elif error is not None:
            _broke(self._stream, error)


@guarded(NAME)
def _take(stream: Any, chunk: Any) -> None:
    call = streams.find(stream)
    if call is not None:
        call.reader.feed(chunk)


@guarded(NAME)
def _broke(stream: Any, error: BaseException) -> None:
    call = streams.find(stream)
    if call is not None:
        call.fail(error, streams.seen_of(call), begun=call.reader.begun)
        streams.leave_response(stream)
