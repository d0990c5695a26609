"""Reads the HTTP response below an SDK's result: whole, as events, or once the application has."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from anchor_autopatch.host.capture import streams
from anchor_autopatch.host.capture.calls import NOTHING, Seen
from anchor_autopatch.host.providers.tap import parsed

if TYPE_CHECKING:
    from anchor_autopatch.host.clients.bodies import Sink


def raw_answer(response: Any) -> Any:
    """The JSON of an HTTP response; {} for a binary, an unread or a broken one."""
    if "json" not in response.headers.get("content-type", "") or not is_read(response):
        return {}
    try:
        return json.loads(response.content)
    except ValueError:
        return {}


def is_events(response: Any) -> bool:
    """True for a stream of events that the SDK has read as one text."""
    return is_read(response) and "event-stream" in response.headers.get("content-type", "")


def read_events(response: Any, reader: streams.Reader) -> Seen:
    """Feeds a reader with the events of a stream that the SDK read as one text."""
    name = None
    for line in response.text.splitlines():
        kind, _, value = line.partition(":")
        if kind == "event":
            name = value.strip()
        elif kind == "data":
            data = parsed(value)
            if data:
                reader.feed({"event": name, "data": data, **data} if name else data)
    return reader.seen()


def is_read(response: Any) -> bool:
    """True when the body has been read, by whoever."""
    # httpx and httpx2 keep the body here once it has been read; the public property raises before.
    return hasattr(response, "_content")


class UnreadBody:
    """Stands for an answer whose body the application reads by itself."""

    begun = True

    def __init__(
        self,
        operation: str,
        read_usage: Callable[[str, Any], Seen],
        events: Callable[[], streams.Reader] | None = None,
    ) -> None:
        self.sink: Sink | None = None
        """Takes the pieces, where the application reads the body piece by piece."""
        self._events = events
        self._operation = operation
        self._read_usage = read_usage
        self._seen = NOTHING

    def feed(self, chunk: object) -> bool:
        """Nothing is fed: the body is read when the application has done so."""
        return False

    def read(self, answer: Any) -> Seen:
        """What the answer's JSON tells."""
        return self._read_usage(self._operation, answer)

    def sink_for(self, response: Any) -> Sink:
        """What takes the pieces of this body: of a JSON text, or of events."""
        from anchor_autopatch.host.clients import bodies

        if self.sink is None:
            told = "event-stream" in response.headers.get("content-type", "")
            events = self._events() if told and self._events is not None else None
            self.sink = bodies.Whole(self.read) if events is None else bodies.Events(events)
        return self.sink

    def closed(self, response: Any) -> None:
        """Reads the answer, where the application has read it whole or in pieces."""
        if self.sink is not None and not is_read(response):
            self._seen = self.sink.seen()
        elif is_events(response) and self._events is not None:
            self._seen = read_events(response, self._events())
        else:
            self._seen = self.read(raw_answer(response))

    def seen(self) -> Seen:
        """What the body told; nothing before it was read whole."""
        return self._seen

    def complete(self) -> bool:
        """True: the application decides how much it reads."""
        return True
