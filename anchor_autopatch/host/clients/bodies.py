"""Reads a body while it passes by, in bounded memory: what tells usage is kept, the rest forgotten.

Only the raw-HTTP layer does this, at the byte source, below the library's own decoding: the bytes
that the application gets are the same ones, and no read happens that it did not ask for.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from anchor_autopatch.host.capture.calls import Seen
from anchor_autopatch.host.capture.evidence import Counts
from anchor_autopatch.host.capture.streams import Reader
from anchor_autopatch.host.clients import fields
from anchor_autopatch.host.clients.dialects import LastEvent

_LIMIT = 262_144
"""Bytes kept of one line or body; of a longer one, the start and the end."""
_HEAD, _TAIL = 4_096, 65_536
# Events worth parsing: those with a usage object, those that end a stream, those that say it broke.
# One expression that begins with one character: `re` looks for that alone at first. Its words one
# by one took three times as long, and alternatives that each have the quote half as long again.
_TELLS = re.compile(
    rb'"(?:usage(?:Metadata)?"\s*:\s*\{|billed_units"\s*:\s*\{'
    rb'|response\.(?:completed|incomplete|failed)"|error"|finishReason")'
)
_EVENT = b"data:"
_WHOLE_EVENTS = (b"}\n\n", b"}\r\n\r\n")
"""Ends of a piece after which no event is left open, and which `[DONE]` does not have."""


class Sink(Protocol):
    """Takes the decoded bytes of one body."""

    failure: dict[str, Any] | None
    """What an error event inside the stream said."""

    def feed(self, data: bytes) -> None:
        """Takes the next bytes."""
        ...

    def seen(self) -> Seen:
        """What is known so far."""
        ...

    def complete(self) -> bool:
        """True when everything that will be told has been."""
        ...


class Whole:
    """A body that is one JSON text."""

    def __init__(self, read: Callable[[dict[str, Any]], Seen]) -> None:
        self.failure: dict[str, Any] | None = None
        self._read = read
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Takes the next bytes."""
        self._parts.append(data)
        self._size += len(data)
        if self._size > _LIMIT:
            self._parts = [_shortened(b"".join(self._parts))]
            self._size = len(self._parts[0])

    def body(self) -> bytes:
        """What has arrived; of a long one, the start and the end."""
        return b"".join(self._parts)

    def json(self) -> dict[str, Any]:
        """The fields of what has arrived."""
        return fields.read(self.body())

    def seen(self) -> Seen:
        """What is known so far."""
        return self._read(self.json())

    def complete(self) -> bool:
        """True when everything that will be told has been."""
        return self.seen().raw_usage is not None


class Nothing:
    """A body that cannot tell anything: audio, an image, an encoding that zlib does not know."""

    failure: dict[str, Any] | None = None

    def feed(self, data: bytes) -> None:
        """Forgets them."""

    def seen(self) -> Seen:
        """What is known so far."""
        return Seen()

    def complete(self) -> bool:
        """True when everything that will be told has been."""
        return False


class Events(Counts):
    """Server-sent events, whose data is JSON (WHATWG HTML, section 9.2)."""

    reads_text = False

    def __init__(self, reader: Reader) -> None:
        self.failure: dict[str, Any] | None = None
        self._reader = reader
        self._rest = b""
        self._any = False
        self._done = False
        # Counts that only grow need not be parsed before the last one of them is known.
        self._lazy = isinstance(reader, LastEvent)
        self._latest = b""

    def feed(self, data: bytes) -> None:
        """Takes the next bytes."""
        self.chunks += data.count(_EVENT)
        if self._any and not self._rest and data.endswith(_WHOLE_EVENTS):
            # Nearly every piece of a stream: whole events, most of them without a word for us.
            if _TELLS.search(data) is None:
                return
            if self._may_wait(data):
                self._latest = data
                return
        lines = (self._rest + data).split(b"\n") if self._rest else data.split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > _LIMIT:
            self._rest = _shortened(self._rest)
        for line in lines:
            if line.startswith(_EVENT):
                self._event(line)

    def _may_wait(self, data: bytes) -> bool:
        return self._lazy and b'"finishReason"' not in data

    def _event(self, line: bytes) -> None:
        if self._any and _TELLS.search(line) is None:
            self._done = self._done or line[5:].strip() == b"[DONE]"
        elif self._any and self._may_wait(line):
            self._latest = line
        else:
            self._catch_up()
            self._parse(line[5:])

    def _catch_up(self) -> None:
        latest, self._latest = self._latest, b""
        for line in latest.split(b"\n"):
            if line.startswith(_EVENT):
                self._parse(line[5:])

    def _parse(self, data: bytes) -> None:
        event = fields.read(data)
        if not event:
            return
        self._any = True
        self._reader.feed(event)
        if event.get("error") or event.get("type") == "error":
            self.failure = event

    def seen(self) -> Seen:
        """What is known so far."""
        self._catch_up()
        return self._reader.seen()

    def complete(self) -> bool:
        """True when everything that will be told has been."""
        self._catch_up()
        return self._done or self._reader.complete()


class Frames(Counts):
    """Amazon's event stream: length, headers, payload, checksum (AWS SDK, "event stream encoding").

    An invoked model's events come as {"bytes": base64 of JSON}. The reader gets events in the shape
    in which botocore parses them.
    """

    reads_text = False
    _PRELUDE = 12

    def __init__(self, reader: Reader) -> None:
        self.failure: dict[str, Any] | None = None
        self._reader = reader
        self._rest = b""
        self._skip = 0

    def feed(self, data: bytes) -> None:
        """Takes the next bytes."""
        if self._skip:
            data, self._skip = data[self._skip :], max(0, self._skip - len(data))
        self._rest += data
        while len(self._rest) >= self._PRELUDE:
            length = max(int.from_bytes(self._rest[:4]), self._PRELUDE)
            if length > _LIMIT:
                self._skip = max(0, length - len(self._rest))
                self._rest = self._rest[length:]
                continue
            if len(self._rest) < length:
                return
            frame, self._rest = self._rest[:length], self._rest[length:]
            headers = int.from_bytes(frame[4:8])
            self.chunks += 1
            self._payload(frame[self._PRELUDE + headers : -4])

    def _payload(self, payload: bytes) -> None:
        event = fields.read(payload)
        inner = event.get("bytes")
        if isinstance(inner, str):
            self._reader.feed({"chunk": {"bytes": base64.b64decode(inner)}})
        elif "usage" in event:
            self._reader.feed({"metadata": event})
        elif "stopReason" in event:
            self._reader.feed({"messageStop": event})

    def seen(self) -> Seen:
        """What is known so far."""
        return self._reader.seen()

    def complete(self) -> bool:
        """True when everything that will be told has been."""
        return self._reader.complete()


class Decoder(Protocol):
    """Takes the bytes on the wire, gives those of the content."""

    def __call__(self, data: bytes, /) -> bytes:
        """The content of the next bytes, as far as it is known yet."""
        ...


def decoder(encoding: str) -> Decoder | None:
    """What undoes a Content-Encoding piece by piece; None for one that cannot be undone here."""
    if encoding in ("", "identity"):
        return bytes
    if encoding in ("gzip", "x-gzip"):
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress
    return _Deflate() if encoding == "deflate" else None


class _Deflate:
    """`deflate` means zlib's format (RFC 9110, 8.4.1.2); some servers leave out its header."""

    def __init__(self) -> None:
        self._decompress: Callable[[bytes], bytes] | None = None

    def __call__(self, data: bytes) -> bytes:
        if self._decompress is not None:
            return self._decompress(data)
        self._decompress = zlib.decompressobj().decompress
        try:
            return self._decompress(data)
        except zlib.error:
            self._decompress = zlib.decompressobj(-zlib.MAX_WBITS).decompress
            return self._decompress(data)


def _shortened(data: bytes) -> bytes:
    return data[:_HEAD] + b" " + data[-_TAIL:]
