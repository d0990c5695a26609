"""Answers that the application reads piece by piece: `with_streaming_response` and its iterators.

The pieces are the application's, decoded already; a copy of each goes to a reader that keeps only
what tells usage (`clients.bodies`), so that the call is known when the response is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture import streams
from anchor_autopatch.host.capture.evidence import Counts
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers.answers import UnreadBody

_AS_BYTES: dict[str, Callable[[Any], bytes]] = {
    "iter_bytes": bytes,
    "iter_text": str.encode,
    "iter_lines": lambda line: f"{line}\n".encode(),
}


def patch(responses: Any) -> None:
    """Wraps the iterators of `APIResponse` and `AsyncAPIResponse` of a `_response` module."""
    for name in _AS_BYTES:
        patching.replace(responses.APIResponse, name, _wrap)
        patching.replace(responses.AsyncAPIResponse, name, _wrap_async)


def _wrap(original: Any) -> Any:
    @wraps(original)
    def iterate(self: Any, *args: Any, **kwargs: Any) -> Any:
        take = _taker(self.http_response, original.__name__)
        for piece in original(self, *args, **kwargs):
            if take is not None:
                take(piece)
            yield piece

    return iterate


def _wrap_async(original: Any) -> Any:
    @wraps(original)
    def iterate(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _AsyncPieces(original(self, *args, **kwargs), self.http_response, original.__name__)

    return iterate


class _AsyncPieces:
    """Iterates the SDK's async generator; no second generator, whose finalizer would speak up."""

    __slots__ = ("_pieces", "_take")

    def __init__(self, pieces: Any, response: Any, name: str) -> None:
        self._pieces = pieces
        self._take = _taker(response, name)

    def __aiter__(self) -> _AsyncPieces:
        return self

    async def __anext__(self) -> Any:
        piece = await self._pieces.__anext__()
        if self._take is not None:
            self._take(piece)
        return piece

    async def aclose(self) -> None:
        """Closes the SDK's generator, as closing it directly would."""
        await self._pieces.aclose()


@guarded("pieces")
def _taker(response: Any, name: str) -> Callable[[Any], object] | None:
    """What takes a copy of each piece; None where no call is waiting for them."""
    call = streams.find(response)
    if call is None:
        return None
    from anchor_autopatch.host.clients import bodies

    if isinstance(call.reader, UnreadBody):
        sink: bodies.Sink = call.reader.sink_for(response)
    else:
        sink = bodies.Events(call.reader)
    as_bytes = _AS_BYTES[name]
    reader = call.reader

    def take(piece: Any) -> None:
        sink.feed(as_bytes(piece))
        if isinstance(reader, Counts) and isinstance(sink, Counts):
            # The reader is given only what tells usage: what passes is counted by the sink.
            reader.reads_text, reader.chunks = False, sink.chunks

    return guarded(call.target)(take)
