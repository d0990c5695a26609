"""WebSocket connections that say what they are told to, in the place of the library's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

from tests.sdk.transparency.answering import Answer
from tests.sdk.transparency.performing import Step, outcome, outcome_of

REFUSED = 403


def says(*messages: str, ends: str = "ConnectionClosedOK") -> Answer:
    """A connection that says this and ends; `ends` is an exception of `websockets`."""
    return Answer(101, tuple(message.encode() for message in messages), breaks=ends)


class OverWebSocket(NamedTuple):
    """An SDK whose sessions are WebSockets."""

    connects: tuple[str, ...]
    """Modules and functions that its versions open connections with; `sync`: to be called."""
    client: Callable[[], Any]
    async_client: Callable[[], Any]

    def tell(self, one: Step) -> str:
        """Runs the step over a line."""
        sent: list[str] = []
        found = filter(_is_there, self.connects)
        patches = [mock.patch(name, _connect(name, one.answers[0], sent)) for name in found]
        for patch in patches:
            patch.start()
        try:
            if asyncio.iscoroutinefunction(one.run):
                told = asyncio.run(outcome_of(one.run(self.async_client())))
            else:
                told = outcome(lambda: one.run(self.client()))
        finally:
            for patch in patches:
                patch.stop()
        return "\n".join([told, *sent])


def _is_there(name: str) -> bool:
    module, _, function = name.rpartition(".")
    return find_spec(module) is not None and hasattr(import_module(module), function)


class _Line:
    """One side of an open connection."""

    def __init__(self, url: str, headers: Any, answer: Answer, sent: list[str]) -> None:
        self.request = SimpleNamespace(path=url.partition("://")[2], headers=dict(headers or {}))
        self._answer = answer
        self._waiting = list(answer.pieces)
        self._sent = sent

    def recv(self, **_options: Any) -> bytes:
        """The next message; the end when all were said."""
        from websockets import exceptions, frames

        if self._waiting:
            return self._waiting.pop(0)
        code = 1000 if self._answer.breaks == "ConnectionClosedOK" else 1011
        raise getattr(exceptions, str(self._answer.breaks))(frames.Close(code, "bye"), None)

    def send(self, message: Any, **_options: Any) -> None:
        """Notes what is said here."""
        self._sent.append(f"sent {message!r}")

    def close(self, **_options: Any) -> None:
        """Notes that it was closed."""
        self._sent.append("closed")


class _AsyncLine(_Line):
    """The same for the library's asynchronous half."""

    async def recv(self, **options: Any) -> bytes:  # type: ignore[override]
        """The next message."""
        return super().recv(**options)

    async def send(self, message: Any, **options: Any) -> None:  # type: ignore[override]
        """Notes what is said here."""
        super().send(message, **options)

    async def close(self, **options: Any) -> None:  # type: ignore[override]
        """Notes that it was closed."""
        super().close(**options)


class _Opening:
    """What the asynchronous `connect` gives: to be awaited, or entered."""

    def __init__(self, open_line: Callable[[], _AsyncLine]) -> None:
        self._open = open_line
        self._line: _AsyncLine | None = None

    def __await__(self) -> Any:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> _AsyncLine:
        self._line = self._open()
        return self._line

    async def __aexit__(self, *_error: object) -> None:
        assert self._line is not None
        await self._line.close()


def _connect(name: str, answer: Answer, sent: list[str]) -> Callable[..., Any]:
    def refuse() -> None:
        from websockets import datastructures, exceptions, http11

        if answer.status == REFUSED:
            refusal = http11.Response(REFUSED, "Forbidden", datastructures.Headers())
            raise exceptions.InvalidStatus(refusal)

    def connect(url: str, *, additional_headers: Any = None, **_options: Any) -> Any:
        if ".sync." in name:
            refuse()
            return _Line(url, additional_headers, answer, sent)

        def open_line() -> _AsyncLine:
            refuse()
            return _AsyncLine(url, additional_headers, answer, sent)

        return _Opening(open_line)

    return connect
