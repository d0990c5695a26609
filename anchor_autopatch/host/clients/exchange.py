"""One provider call made through an HTTP client: from its request to the end of its body."""

from __future__ import annotations

import atexit
import os
import sys
import zlib
from asyncio import CancelledError
from collections.abc import Mapping
from contextvars import Token
from typing import Any

from anchor_autopatch.host.capture import evidence
from anchor_autopatch.host.capture.calls import NOTHING, Call, Seen, enforce
from anchor_autopatch.host.capture.layers import active, leave_context
from anchor_autopatch.host.capture.sites import host_of, site
from anchor_autopatch.host.capture.streams import Reader
from anchor_autopatch.host.clients import bodies, fields, paths, raw, submissions
from anchor_autopatch.host.clients.dialects import DIALECTS
from anchor_autopatch.host.dependencies import seen
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers import objects

_REDIRECT, _REFUSED = 300, 400
_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-amzn-requestid")
_KEY_HEADERS = ("x-api-key", "api-key", "x-goog-api-key")


class HTTPStatusError(Exception):
    """An answer that refuses the call, in the shape in which `failures` reads the SDKs' errors."""

    def __init__(self, status: int | None, body: dict[str, Any]) -> None:
        inner = body.get("error")
        message = inner.get("message") if isinstance(inner, dict) else body.get("message")
        super().__init__(message or f"HTTP {status}")
        self.status_code = status
        self.body = body


class Exchange:
    """A raw provider call; its methods are guarded, and those that end it do so once."""

    def __init__(
        self,
        client: raw.Client,
        call: Call,
        billed: paths.Billed,
        *,
        asked: submissions.Asked | None = None,
        decoded: bool,
    ) -> None:
        self.call = call
        self.decoded = decoded
        """True when the library undoes the Content-Encoding before the bytes can be seen."""
        self.busy = False
        """True while the library reads: what it closes then is not closed by the application."""
        self._client = client
        self._billed = billed
        self._asked = asked
        self._dialect = DIALECTS[billed.dialect]
        self._status = 0
        self._encoding = ""
        self._decode: bodies.Decoder | None = None
        self._sink: bodies.Sink = bodies.Nothing()
        self._tokens: tuple[Token[Call | None], Token[Call | None]] | None = None
        guard = guarded(client.name)
        self.answered = guard(self._answered)
        self.failed = guard(self._failed)
        self.feed = guard(self._feed)
        self.end = guard(self._end)
        self.left = guard(self._left)
        self.broke = guard(self._broke)

    def enter(self) -> None:
        """Marks the call as open here, and this send as counted."""
        self._tokens = (active.set(self.call), raw.counting.set(self.call))

    def leave(self) -> None:
        """Puts the context variables back."""
        if self._tokens is not None:
            leave_context(self._tokens[0])
            leave_context(self._tokens[1], raw.counting)

    def _answered(self, response: Any) -> None:
        if _answers_another_question(response):
            self.call.leave_to_children()
            return
        if getattr(response, self._client.status, 0) >= _REFUSED:
            # What the application raises of it (`raise_for_status`) is this failure.
            seen.remember_answer(response)
        self._client.answered(self, response)

    def _failed(self, error: BaseException) -> None:
        self._count()
        status = getattr(error, "status", None)
        if isinstance(status, int) and status >= _REFUSED:
            # aiohttp with raise_for_status; its `code` would warn that it is deprecated.
            self._status = status
            self._refused()
            return
        self.call.fail(error)

    def _count(self) -> None:
        # None was counted where an adapter of the application's own sends.
        self.call.attempts = self.call.sends or 1

    def headers(self, status: int, headers: Mapping[str, str], *, decoded: bool = False) -> bool:
        """Takes the start of an answer; False when there is nothing to be read of it.

        Args:
            status: HTTP status.
            headers: Case-insensitive.
            decoded: True when the bytes that will be fed are no longer in their Content-Encoding.
        """
        call = self.call
        self._count()
        self._status = call.http_status = status
        for name in _REQUEST_ID_HEADERS:
            call.provider_request_id = call.provider_request_id or headers.get(name)
        kind = headers.get("content-type", "")
        call.stream = call.stream or kind.startswith("text/event-stream")
        if _REDIRECT <= status < _REFUSED:
            # Nobody answered: the application goes where it was sent by itself, or does not.
            call.leave_to_children()
            return False
        self._encoding = headers.get("content-encoding", "").strip().lower() if not decoded else ""
        self._decode = bodies.decoder(self._encoding)
        if call.parent is not None and status < _REFUSED:
            if self._decode is None:
                # The SDK above decodes it, and tells what it can.
                call.leave_to_children()
                return False
            call.adopted()
        self._sink = self._sink_for(kind) if self._decode else bodies.Nothing()
        return True

    def _sink_for(self, kind: str) -> bodies.Sink:
        reader = self._dialect.reader
        if self._status >= _REFUSED:
            return bodies.Whole(lambda _answer: NOTHING)
        if kind.startswith("text/event-stream"):
            return bodies.Events(self._settling(reader(self._billed.operation)))
        if kind.startswith("application/vnd.amazon.eventstream"):
            return bodies.Frames(reader(self._billed.operation))
        if "json" in kind or not kind:
            return bodies.Whole(self._read)
        return bodies.Nothing()

    def _settling(self, reader: Reader) -> Reader:
        """The reader of a stream; one of an object that exists already bills it once."""
        if self._asked is None:
            return reader
        self.call.billable = True
        return objects.SettlingReader(self.call, reader, retrieved=self._asked.request.retrieved)

    def _read(self, answer: dict[str, Any]) -> Seen:
        return self._dialect.read_usage(self._billed.operation, answer)

    def whole(self, status: int, headers: Mapping[str, str], body: Any, response: object) -> None:
        """Takes an answer that the library has read and decoded whole."""
        if not self.headers(status, headers, decoded=True):
            return
        if isinstance(self._sink, bodies.Whole) and status < _REFUSED:
            # As it lies there: no copy, and nothing of it is cut away.
            self._succeed(body or b"", response)
            return
        self._feed(body or b"")
        self._end(response)

    def _succeed(self, body: bytes, response: object) -> None:
        """Ends the call with an answer that is one JSON text."""
        answer = fields.read(body)
        asked = self._asked or submissions.submitted(self._billed.operation, answer)
        if asked is None:
            self.call.succeed(self._read(answer), response)
        else:
            submissions.finish(self.call, asked, self._billed.dialect, body, response)

    def _feed(self, data: bytes) -> None:
        if self._decode is None or not data:
            return
        try:
            decoded = self._decode(data)
        except zlib.error:
            # The application's own library will say so; what has been read stays read.
            self._decode = None
            return
        if decoded:
            self._sink.feed(decoded)

    def _end(self, response: object = None) -> None:
        if self._refused() or self._told_of_failure():
            return
        if isinstance(self._sink, bodies.Whole) and self._decode is not None:
            self._succeed(self._sink.body(), response)
        else:
            self.call.succeed(self._seen(), response)

    def _left(self) -> None:
        """Closed or dropped by the application, perhaps because it was cancelled."""
        if self.call.ended or self._refused() or self._told_of_failure():
            return
        error = sys.exception()
        if self._asked is not None and not self.call.billable:
            # A look at an object that was not read to its end.
            self.call.leave_to_children()
        elif self._sink.complete():
            self._end()
        elif isinstance(error, (CancelledError, TimeoutError)):
            self.call.fail(error, self._seen(), begun=True)
        else:
            self.call.cut_short(self._seen())

    def _broke(self, error: BaseException) -> None:
        if not self._refused():
            self.call.fail(error, self._seen(), begun=True)

    def _seen(self) -> Seen:
        if self._encoding and self._decode is None:
            return Seen(facts={"unread_encoding": self._encoding})
        return evidence.completed(self.call, self._sink.seen(), self._sink)

    def _refused(self) -> bool:
        if self._status < _REFUSED:
            return False
        # An error was answered: nothing was generated, whatever its class says of other cases.
        self.call.billable = False
        body = self._sink.json() if isinstance(self._sink, bodies.Whole) else {}
        self.call.fail(HTTPStatusError(self._status, body))
        return True

    def _told_of_failure(self) -> bool:
        if self._sink.failure is None:
            return False
        self.call.fail(HTTPStatusError(None, self._sink.failure), self._seen(), begun=True)
        return True


def begin(client: raw.Client, request: raw.Request, layer: Call | None = None) -> Exchange | None:
    """The call that begins with this request, to be entered; None for one that costs nothing.

    Args:
        client: The library that sends.
        request: What it sends.
        layer: The SDK of many providers that has it sent, which knows which of them it asks.
    """
    billed, working_on = paths.billed(request.method, request.url), None
    if billed is None:
        billed, working_on = submissions.request(request.method, request.url) or (None, None)
    if billed is None:
        return None
    body = _body(request.body)
    model = billed.model or request.model or body.get("model")
    provider = paths.PROVIDERS[billed.dialect]
    if provider == "gemini" and "/projects/" in request.url:
        provider = "vertex_ai"
    above = layer.reader if layer is not None else None
    if above is not None:
        provider = above.provider() or provider
    call = Call(
        client.name,
        billed.operation,
        model if isinstance(model, str) else None,
        site(provider, host_of(request.url), _api_key(request)),
        stream=billed.stream or body.get("stream") is True,
    )
    call.billable = working_on is None
    call.facts = DIALECTS[billed.dialect].read_request(billed.operation, body)
    call.sends = 0 if client.attempts_below else 1
    while layer is not None:
        layer.sends += 1
        layer = layer.parent
    call.request = request.body if call.stream else None
    enforce(call)
    asked = submissions.Asked(working_on, body) if working_on is not None else None
    exchange = Exchange(client, call, billed, asked=asked, decoded=request.decoded)
    if above is not None:
        above.exchange = exchange
    return exchange


def _answers_another_question(response: Any) -> bool:
    """True when redirects ended at something that was not posted: a page, say, to log in at.

    303, and 302 as all clients take it, turn a POST into a GET (RFC 9110, 15.4).
    """
    if not getattr(response, "history", ()):
        return False
    # aiohttp's response has the method itself.
    return bool(getattr(response, "request", response).method.upper() != "POST")


def _body(body: Any) -> dict[str, Any]:
    if isinstance(body, dict):
        return body
    return fields.read(bytes(body) if isinstance(body, bytearray) else body) if body else {}


def _api_key(request: raw.Request) -> str | None:
    headers = request.headers
    carried = headers.get("authorization")
    if carried:
        text = carried.decode("latin-1") if isinstance(carried, bytes) else str(carried)
        if text.startswith("AWS4"):
            # Signed, with another signature each time; who signed stands before the first slash.
            return text.partition("Credential=")[2].partition("/")[0] or None
        return text.rpartition(" ")[2]
    for name in _KEY_HEADERS:
        if headers.get(name):
            return str(headers[name])
    for pair in request.url.partition("?")[2].split("&"):
        if pair.startswith("key="):
            return pair[4:]
    return None


@atexit.register
def leave_all() -> None:
    """Ends every open call; runs when the process leaves."""
    for exchange in raw.open_bodies.pop_all():
        exchange.left()


if hasattr(os, "register_at_fork"):
    # What the parent has open is the parent's to finish.
    os.register_at_fork(after_in_child=raw.open_bodies.pop_all)
