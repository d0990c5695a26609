"""Puts callables of ours in the place of a gRPC stub's methods, below an SDK's public ones.

gRPC has no choke point of its own that runs where the application calls: an interceptor of
`grpc.aio` runs in a task of its own, without the caller's frames. A stub's methods do, and no
application ever holds one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NamedTuple

from anchor_autopatch.host.capture import streams
from anchor_autopatch.host.capture.calls import Adapter, Call, enforce, wrap, wrap_async
from anchor_autopatch.host.capture.identity import ObjectMemo
from anchor_autopatch.host.capture.layers import active, leave_context
from anchor_autopatch.host.patching import guarded


class Origin(NamedTuple):
    """Where a channel leads, and the key that its calls carry."""

    host: str
    api_key: str


class Method:
    """One method of one stub: called like the original, whose other attributes it shows."""

    def __init__(self, original: Any, name: str, origin: Origin | None) -> None:
        self.original = original
        self.name = name
        self.origin = origin

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


def _call(method: Method, *args: Any, **kwargs: Any) -> Any:
    return method.original(*args, **kwargs)


async def _call_async(method: Method, *args: Any, **kwargs: Any) -> Any:
    return await method.original(*args, **kwargs)


class Channels:
    """Remembers where channels lead, and dresses the stubs that are made on them.

    Args:
        target: Whose faults ours are counted as.
        adapter: What the SDK tells about its methods; each is opened as the `client` of its call.
    """

    def __init__(self, target: str, adapter: Adapter) -> None:
        guard = guarded(target)
        self._note = guard(self._note_channel)
        self._dress = guard(self._dress_stub)
        self._origins: ObjectMemo[Origin] = ObjectMemo()
        self._kinds = _kinds(adapter)

    def wrap_make_channel(self, original: Any) -> Any:
        """Makes `_make_grpc_channel(self, api_key, api_host, ...)` of a client."""

        @wraps(original)
        def _make_grpc_channel(client: Any, api_key: Any, api_host: Any, *args: Any) -> Any:
            channel = original(client, api_key, api_host, *args)
            self._note(channel, api_key, api_host)
            return channel

        return _make_grpc_channel

    def wrap_init(self, streamed: Mapping[str, bool]) -> Callable[[Any], Any]:
        """Makes a stub's `__init__`; `streamed`: name of a method that costs -> is it a stream."""

        def make(original: Any) -> Any:
            @wraps(original)
            def __init__(stub: Any, channel: Any) -> None:  # noqa: N807 - the stub's own name
                original(stub, channel)
                self._dress(stub, channel, streamed)

            return __init__

        return make

    def _note_channel(self, channel: Any, api_key: str, api_host: str) -> None:
        self._origins.put(channel, Origin(api_host, api_key))

    def _dress_stub(self, stub: Any, channel: Any, streamed: Mapping[str, bool]) -> None:
        is_async = type(channel).__module__.startswith("grpc.aio")
        for name, is_stream in streamed.items():
            original = vars(stub).get(name)
            if original is not None:
                kind = self._kinds[is_async, is_stream]
                setattr(stub, name, kind(original, name, self._origins.get(channel)))


def _kinds(adapter: Adapter) -> dict[tuple[bool, bool], type[Method]]:
    """(asynchronous, streamed) -> the class whose instances are called."""
    calling: dict[tuple[bool, bool], Any] = {
        (False, False): wrap(adapter)(_call),
        (True, False): wrap_async(adapter)(_call_async),
        (False, True): _streamed(adapter),
        (True, True): _streamed_async(adapter),
    }
    return {kind: type("Method", (Method,), {"__call__": call}) for kind, call in calling.items()}


def _streamed(adapter: Adapter) -> Any:
    def __call__(method: Method, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
        opened = adapter.open(method, args, kwargs)
        if opened is None:
            return method.original(*args, **kwargs)
        enforce(opened.call)
        stream = _begin(adapter, opened.call, method, args, kwargs)
        _streaming(opened.call, stream)
        return streams.each(_steps(stream), opened.call, stream)

    return __call__


def _streamed_async(adapter: Adapter) -> Any:
    def __call__(method: Method, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
        opened = adapter.open(method, args, kwargs)
        if opened is None:
            return method.original(*args, **kwargs)
        enforce(opened.call)
        stream = _begin(adapter, opened.call, method, args, kwargs)
        _streaming(opened.call)
        return streams.AsyncChunks(stream.__aiter__(), call=opened.call)

    return __call__


@guarded()
def _streaming(call: Call, stream: Any = None) -> None:
    call.adopted()
    # An asynchronous stream is watched by what iterates it.
    if stream is not None:
        streams.watch(stream, call)


def _begin(
    adapter: Adapter, call: Call, method: Method, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    token = active.set(call)
    try:
        return method.original(*args, **kwargs)
    except BaseException as error:
        adapter.fail(call, error)
        raise
    finally:
        leave_context(token)


def _steps(stream: Any) -> Any:
    # A generator can be closed; gRPC's own iterator ends its call when it is dropped.
    yield from stream
