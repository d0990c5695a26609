"""Reads a streamed HTTP response while its SDK reads it, for SDKs that parse the bytes themselves.

Fern's and Speakeasy's SDKs (cohere, mistralai) have no stream class of one shape; all their ways to
read (lines, events, whole) go through `iter_bytes` of the one response object. It is shadowed on
that object alone, and given back at the stream's end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from anchor_autopatch.host.capture import streams
from anchor_autopatch.host.capture.calls import NOTHING, Call, Seen
from anchor_autopatch.host.capture.evidence import Counts

_LINE_LIMIT = 1_048_576


class LineReader(Counts):
    """Server-sent events or JSON lines, of which those that tell usage are parsed.

    The others are counted: each holds a token at least.
    """

    reads_text = False

    def __init__(self, marks: tuple[bytes, ...], read: Callable[[dict[str, Any]], Seen]) -> None:
        self.begun = False
        self._marks = marks
        self._read = read
        self._rest = b""
        self._first: dict[str, Any] | None = None
        self._last: Seen | None = None

    def feed(self, chunk: bytes) -> bool:
        """Takes the next bytes; nothing is ever hidden."""
        self.begun = True
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()[-_LINE_LIMIT:]
        for line in lines:
            if line:
                self.chunks += not line.startswith(b"event:")
                self._line(line)
        return False

    def _line(self, line: bytes) -> None:
        if self._first is not None and not any(mark in line for mark in self._marks):
            return
        event = parsed(line.removeprefix(b"data:"))
        if not event:
            return
        self._first = self._first or event
        seen = self._read(event)
        if seen.raw_usage is not None:
            self._last = seen

    def seen(self) -> Seen:
        """The last usage; without one, what the first event told."""
        if self._rest:
            self._line(self._rest)
            self._rest = b""
        first = self._read(self._first) if self._first is not None else NOTHING
        if self._last is None:
            return first._replace(source="partial")
        return self._last._replace(
            model=self._last.model or first.model,
            response_id=self._last.response_id or first.response_id,
        )

    def complete(self) -> bool:
        """True when usage has arrived."""
        return self._last is not None


def parsed(text: bytes | str) -> dict[str, Any]:
    """The JSON object in a text; {} for anything else."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def tap(response: Any, call: Call) -> None:
    """Feeds `call.reader` with what the SDK reads of `response`, and ends the call with it."""
    streams.watch(response, call)
    plain, waiting = response.iter_bytes, response.aiter_bytes

    def iter_bytes(*args: Any, **kwargs: Any) -> Iterator[bytes]:
        untap(response)
        return streams.each(plain(*args, **kwargs), call, response)

    def aiter_bytes(*args: Any, **kwargs: Any) -> streams.AsyncChunks:
        untap(response)
        return streams.AsyncChunks(waiting(*args, **kwargs), response, call)

    response.iter_bytes = iter_bytes
    response.aiter_bytes = aiter_bytes


def untap(response: Any) -> None:
    """Gives the response its own methods back."""
    for name in ("iter_bytes", "aiter_bytes"):
        with suppress(AttributeError):
            delattr(response, name)
