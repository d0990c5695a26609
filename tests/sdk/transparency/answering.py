"""A transport for httpx or httpx2 that gives prepared answers, piece by piece, and keeps requests.

In the same process and without a clock, so that one step of a play, made a thousand times with a
fault in another place, tells the same text each time.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

# The clients' own: of another length, version or name in each environment.
_UNSAID = ("user-agent", "content-length", "x-stainless-", "x-goog-api-client", "content-type")


class Answer(NamedTuple):
    """One HTTP answer, or what happens instead of it."""

    status: int = 200
    pieces: tuple[bytes, ...] = ()
    kind: str = "application/json"
    breaks: str | None = None
    """Name of the library's exception that ends the body, or stands for the whole answer."""
    waits: bool = False
    """True: never comes, and who waits for it is cancelled."""
    if_asked: Answer | None = None
    """The answer to a request that asks for stream usage."""


def as_json(value: object, status: int = 200) -> Answer:
    """An answer whose body is one JSON text."""
    return Answer(status, (json.dumps(value).encode(),))


def as_events(*events: object, breaks: str | None = None, named: bool = False) -> Answer:
    """Server-sent events, one piece each; `named`: with the event's type before its data."""
    pieces = tuple(_event(event, named=named) for event in events)
    return Answer(200, pieces, "text/event-stream", breaks)


def _event(event: Any, *, named: bool) -> bytes:
    data = event if isinstance(event, str) else json.dumps(event)
    name = f"event: {event['type']}\n" if named else ""
    return f"{name}data: {data}\n\n".encode()


def never() -> Answer:
    """An answer that does not come: who waits for it is cancelled."""
    return Answer(waits=True)


def lost(kind: str) -> Answer:
    """No answer but an exception of the HTTP library."""
    return Answer(breaks=kind)


class Tape:
    """Gives its answers in turn, the last one for ever."""

    def __init__(self, library: str, *answers: Answer) -> None:
        self._http = importlib.import_module(library)
        self._answers = list(answers)
        self.sent: list[str] = []

    def client(self, **options: Any) -> Any:
        """A synchronous client that sends to this tape."""
        return self._http.Client(transport=self._http.MockTransport(self._respond), **options)

    def async_client(self, **options: Any) -> Any:
        """An asynchronous client that sends to this tape."""
        transport = self._http.MockTransport(self._respond_later)
        return self._http.AsyncClient(transport=transport, **options)

    async def _respond_later(self, request: Any) -> Any:
        if self._answers[0].waits:
            self._note(request)
            task = asyncio.current_task()
            assert task is not None
            task.cancel("enough")
            await asyncio.sleep(60)
        return self._respond(request)

    def _respond(self, request: Any) -> Any:
        self._note(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer.if_asked is not None and b"include_usage" in request.content:
            answer = answer.if_asked
        if answer.breaks and not answer.pieces:
            raise getattr(self._http, answer.breaks)("prepared", request=request)
        headers = {"content-type": answer.kind, "x-request-id": "req_1", "retry-after-ms": "1"}
        stream = _pieces(self._http, answer, request)
        return self._http.Response(answer.status, headers=headers, stream=stream)

    def _note(self, request: Any) -> None:
        headers = {
            name: value
            for name, value in sorted(request.headers.items())
            if not name.startswith(_UNSAID)
        }
        self.sent.append(f"{request.method} {request.url} {headers} {request.content!r}")


def _pieces(http: Any, answer: Answer, request: Any) -> Any:
    class Pieces(http.SyncByteStream, http.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield from answer.pieces
            if answer.breaks:
                raise getattr(http, answer.breaks)("prepared", request=request)

        async def __aiter__(self) -> Any:
            for piece in self:
                yield piece

    return Pieces()
