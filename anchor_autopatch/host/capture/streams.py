"""Watches streams where their SDK iterates them, so that the stream object stays the SDK's own.

A stream and its call are linked by the HTTP response below both. Whatever ends a stream ends its
call once: the last chunk, an error, `close()`, the garbage collector, or the end of the process.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from typing import Any, Protocol

from anchor_autopatch.host.capture import evidence
from anchor_autopatch.host.capture.calls import Call, Seen
from anchor_autopatch.host.capture.identity import ObjectMemo
from anchor_autopatch.host.patching import guarded, guarded_reader, note_fault


class Reader(Protocol):
    """Takes the chunks of one stream and knows at any moment what they have told."""

    begun: bool
    """True once a chunk has arrived."""

    def feed(self, chunk: Any) -> bool:
        """Notes what the chunk says; True when the application must not see it."""
        ...

    def seen(self) -> Seen:
        """What is known so far."""
        ...

    def complete(self) -> bool:
        """True when the final usage has arrived."""
        ...


class _OpenStreams(ObjectMemo[Call]):
    """Calls whose HTTP response is still to be read; a response that dies ends its call."""

    def died(self, value: Call) -> None:
        leave(value)


_open = _OpenStreams()


def watch(response: object, call: Call) -> None:
    """Links a call with the HTTP response that its stream will be read from."""
    if call.request is None:
        # Where httpx keeps it; the public property raises where there is none.
        call.request = getattr(response, "_request", None)
    _open.put(response, call)


def find(response: object) -> Call | None:
    """The call of this HTTP response, or None."""
    return _open.get(response)


def open_calls() -> list[Call]:
    """The calls whose stream is not read to its end."""
    return _open.values()


def leave(call: Call) -> None:
    """Ends the call of a stream that nobody will read further."""
    _leave(call)


def leave_response(response: object) -> None:
    """Ends the call of an HTTP response that was closed."""
    call = _open.pop(response)
    if call is not None:
        _leave(call)


def seen_of(call: Call) -> Seen:
    """What is known of a stream at its end: its usage, else how large it was."""
    seen: Seen = call.reader.seen()
    if seen.raw_usage is not None and seen.source == "provider":
        call.request = None
        return seen
    return evidence.completed(call, seen, call.reader)


@guarded()
def _leave(call: Call) -> None:
    if call.reader.complete():
        call.succeed(seen_of(call))
    else:
        call.cut_short(seen_of(call))


@guarded()
def _finished(call: Call) -> None:
    call.succeed(seen_of(call))


@guarded()
def _broke(call: Call, error: BaseException) -> None:
    last = _unseen(error)
    if last is not None:
        call.reader.feed(last)
    call.fail(error, seen_of(call), begun=call.reader.begun)


def _unseen(error: BaseException) -> dict[str, Any] | None:
    """The chunk of which an SDK made this error: with the error it may tell usage (OpenRouter)."""
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code.co_name == "__stream__" and "sse" in frame.f_locals:
            chunk = frame.f_locals.get("data")
            return chunk if isinstance(chunk, dict) and chunk.get("usage") else None
        trace = trace.tb_next
    return None


@atexit.register
def leave_all() -> None:
    """Ends every open stream's call; runs when the process leaves."""
    for call in _open.pop_all():
        _leave(call)


@guarded()
def _feed_of(call: Call) -> Callable[[Any], bool]:
    feed: Callable[[Any], bool] = call.reader.feed
    return feed


@guarded()
def _reading(call: Call) -> Callable[[Any], bool | None]:
    return guarded_reader(call.target, call.reader.feed)


def _without_reader(call: Call) -> Callable[[Any], bool]:
    """What is left of `feed` after a fault in it: one fault a stream, our chunk stays hidden."""
    return _hide_usage if call.injected else _show


def _hide_usage(chunk: Any) -> bool:
    return getattr(chunk, "usage", None) is not None and not getattr(chunk, "choices", True)


def _show(_chunk: object) -> bool:
    return False


def wrap_stream(original: Any) -> Any:
    """Makes the synchronous `__stream__`: a generator around the SDK's own."""

    @wraps(original)
    def __stream__(self: Any) -> Any:  # noqa: N807 - the SDK's own name
        # A generator: runs at the first step, when the response has been linked with its call.
        call = find(self.response)
        chunks = original(self)
        yield from chunks if call is None else each(chunks, call, self.response)

    return __stream__


def each(chunks: Any, call: Call, response: object) -> Iterator[Any]:
    """Passes on the chunks of a synchronous stream and ends its call with it."""
    feed = _feed_of(call) or _without_reader(call)
    try:
        for chunk in chunks:
            # The guard is written out: a function less for every chunk of the process.
            try:
                hidden = feed(chunk)
            except Exception as fault:  # noqa: BLE001 - as in `guarded`: the stream goes on without us
                with suppress(Exception):
                    note_fault(call.target, "feed", fault)
                feed = _without_reader(call)
                hidden = feed(chunk)
            if not hidden:
                yield chunk
    except GeneratorExit:
        _open.pop(response)
        _leave(call)
        raise
    except BaseException as error:
        _open.pop(response)
        _broke(call, error)
        raise
    finally:
        chunks.close()
    _open.pop(response)
    _finished(call)


def wrap_async_stream(original: Any) -> Any:
    """Makes the asynchronous `__stream__`: an iterator object around the SDK's generator."""

    @wraps(original)
    def __stream__(self: Any) -> Any:  # noqa: N807 - the SDK's own name
        return AsyncChunks(original(self), self.response)

    return __stream__


@guarded()
def _watch_chunks(call: Call, key: object) -> None:
    watch(key, call)


class AsyncChunks:
    """Iterates an SDK's async generator.

    A class, not a second async generator: that one would have a finalizer of its own, and print
    errors when the loop shuts down before it runs.

    Args:
        chunks: The SDK's generator.
        response: What the call is linked with; None: this object itself.
        call: The call, where it is known already; else it is looked up at the first step.
    """

    __slots__ = ("__weakref__", "_call", "_chunks", "_feed", "_response")

    def __init__(self, chunks: Any, response: object = None, call: Call | None = None) -> None:
        self._chunks = chunks
        self._response = response
        self._call = call
        self._feed: Callable[[Any], bool | None] | None = None
        if call is not None:
            _watch_chunks(call, self._key())

    def __aiter__(self) -> AsyncChunks:
        return self

    async def __anext__(self) -> Any:
        feed = self._feed or self._begin()
        try:
            chunk = await self._chunks.__anext__()
            while (hidden := feed(chunk)) is not False:
                if hidden is None and self._call is not None:
                    feed = self._feed = _without_reader(self._call)
                    continue
                chunk = await self._chunks.__anext__()
        except StopAsyncIteration:
            self._end(None)
            raise
        except BaseException as error:
            self._end(error)
            raise
        return chunk

    async def aclose(self) -> None:
        """Closes the SDK's generator, as closing it directly would."""
        leave_response(self._key())
        await self._chunks.aclose()

    def _key(self) -> object:
        return self if self._response is None else self._response

    def _begin(self) -> Callable[[Any], bool | None]:
        # Looked up late: the stream object is made before its response is linked with the call.
        if self._call is None:
            self._call = find(self._key())
        call = self._call
        self._feed = _show if call is None else _reading(call) or _without_reader(call)
        return self._feed

    def _end(self, error: BaseException | None) -> None:
        call = self._call
        if call is None:
            return
        _open.pop(self._key())
        if error is None:
            _finished(call)
        else:
            _broke(call, error)


def wrap_close(original: Any) -> Any:
    """Makes the synchronous `close` of a stream."""

    @wraps(original)
    def close(self: Any) -> Any:
        try:
            return original(self)
        finally:
            leave_response(self.response)

    return close


def wrap_async_close(original: Any) -> Any:
    """Makes the asynchronous `close` of a stream."""

    @wraps(original)
    async def close(self: Any) -> Any:
        try:
            return await original(self)
        finally:
            leave_response(self.response)

    return close
