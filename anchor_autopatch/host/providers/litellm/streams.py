"""LiteLLM's chat streams: every step runs inside the call, whoever reads the stream below."""

from __future__ import annotations

import sys
from contextvars import Token
from functools import wraps
from typing import Any

from anchor_autopatch.host.capture import streams
from anchor_autopatch.host.capture.calls import Call, Seen
from anchor_autopatch.host.capture.evidence import Counts
from anchor_autopatch.host.capture.identity import ObjectMemo
from anchor_autopatch.host.capture.layers import active, leave_context
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers.litellm.reading import NAME, SHAPE, Outer, place, unsent
from anchor_autopatch.host.providers.openai.sdk import count
from anchor_autopatch.host.providers.reading import get, text, to_json


class _Calls(ObjectMemo[Call]):
    """The calls of live streams; one that is dropped ends what is read below it."""

    def died(self, value: Call) -> None:
        _left(value)


# With an SDK or an HTTP client's patch below that reads the stream, and without: some providers'
# requests are sent in the first step only. No value may hold its key.
_calls = _Calls()


def watch(wrapper: Any, call: Call, kwargs: dict[str, Any]) -> None:
    """Runs every step of this stream inside the call; reads it where nobody else does."""
    if call.children:
        call.reader.let_go()
        _calls.put(wrapper, call)
        return
    call.reader = _WrapperReader(call, place(call, wrapper, kwargs))
    # What LiteLLM keeps in its log anyhow, for as long as the stream is open.
    call.request = {name: kwargs.get(name) for name in ("messages", "tools", "prompt")}
    _calls.put(wrapper, call)
    streams.watch(wrapper, call)


def wrap_next(original: Any) -> Any:
    """Makes `__next__` of a stream."""

    @wraps(original)
    def __next__(self: Any) -> Any:  # noqa: N807 - the SDK's own name
        call = _calls.get(self)
        if call is None:
            return original(self)
        with _Step(self, call) as step:
            return step.gave(original(self))

    return __next__


def wrap_anext(original: Any) -> Any:
    """Makes `__anext__` of a stream."""

    @wraps(original)
    async def __anext__(self: Any) -> Any:  # noqa: N807 - the SDK's own name
        call = _calls.get(self)
        if call is None:
            return await original(self)
        with _Step(self, call) as step:
            return step.gave(await original(self))

    return __anext__


class _Step:
    """One step of a stream: its call is open while the block runs, and ends with the last one."""

    __slots__ = ("_call", "_token", "_wrapper")

    def __init__(self, wrapper: Any, call: Call) -> None:
        self._wrapper = wrapper
        self._call = call

    def __enter__(self) -> _Step:
        self._token: Token[Call | None] = active.set(self._call)
        return self

    def gave(self, chunk: Any) -> Any:
        """The chunk, noted."""
        _take(self._call, chunk)
        return chunk

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, (StopIteration, StopAsyncIteration)):
            _end(self._wrapper, self._call, None)
        elif error is not None:
            _end(self._wrapper, self._call, error)
        leave_context(self._token)


class _WrapperReader(Outer, Counts):
    """Reads what a finished or abandoned CustomStreamWrapper has gathered.

    It is asked once, at the end.
    """

    def __init__(self, call: Call, provider: str) -> None:
        super().__init__()
        self._provider = provider
        self.begun = False
        self._call = call
        self._seen = Seen()
        self._complete = False

    def feed(self, chunk: Any) -> bool:
        self.begun = True
        if self._seen.response_id is None:
            self._seen = Seen(
                model=text(chunk, "model"), response_id=text(chunk, "id"), source="partial"
            )
        for choice in get(chunk, "choices") or ():
            count(self, get(choice, "delta") or choice)
        return False

    def read_usage_of(self, chunks: list[Any], estimate: object) -> None:
        """Takes the usage that the provider sent among the chunks, else LiteLLM's own estimate.

        Marked as such.
        """
        sent = [usage for chunk in chunks if (usage := get(chunk, "usage")) is not None]
        if sent:
            total = sys.modules[
                "litellm.litellm_core_utils.streaming_handler"
            ].calculate_total_usage(chunks=chunks)
            self._seen = self._seen._replace(
                raw_usage=to_json(total), shape=SHAPE, source="provider"
            )
            self._complete = True
        elif estimate is not None:
            self._seen = self._seen._replace(
                raw_usage=to_json(estimate), shape=SHAPE, source="estimated"
            )

    def seen(self) -> Seen:
        return self._seen

    def complete(self) -> bool:
        if self._call.children or unsent(self._call):
            # Asked when the stream is left: it was never started, so there was no provider call,
            # or it was started late, and is read below.
            self._call.leave_to_children()
        return self._complete


@guarded(NAME)
def _take(call: Call, chunk: Any) -> None:
    if isinstance(call.reader, _WrapperReader) and not call.children:
        call.reader.feed(chunk)


@guarded(NAME)
def _left(call: Call) -> None:
    call.reader.leave()


@guarded(NAME)
def _end(wrapper: Any, call: Call, error: BaseException | None) -> None:
    _calls.pop(wrapper)
    reader = call.reader
    reader.leave()
    told_below = call.children or (error is None and unsent(call))
    if not isinstance(reader, _WrapperReader) or told_below:
        call.leave_to_children()
        return
    hidden = getattr(wrapper, "_last_returned_hidden_params", None)
    reader.read_usage_of(wrapper.chunks, get(hidden, "usage"))
    seen = streams.seen_of(call)
    if error is not None:
        call.fail(error, seen, begun=reader.begun)
        return
    call.adopted()
    call.succeed(seen)
