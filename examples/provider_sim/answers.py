"""What a wire module builds: an answer with its bill, and the simplest way to send one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from examples.provider_sim.meters import Meters
from examples.provider_sim.values import Json

Headers = list[tuple[bytes, bytes]]
JSON_TYPE = (b"content-type", b"application/json")
SSE_TYPE = (b"content-type", b"text/event-stream; charset=utf-8")


class Frame(NamedTuple):
    """One event of a stream.

    `done`: content chunks generated once it is out; `last`: it carries the final usage.
    """

    data: bytes
    done: int
    last: bool = False


@dataclass(frozen=True, slots=True)
class Bill:
    """What an answer costs: the true usage, its meters, and what of it k of n chunks cost."""

    model: str
    usage: Json
    meters: Callable[[Json], Meters]
    partial: Callable[[Json, int, int], Json] | None = None
    response_id: str | None = None
    tier: str | None = None

    def usage_after(self, done: int, of: int) -> Json:
        """Return the usage once `done` of `of` content chunks were generated."""
        return self.usage if self.partial is None else self.partial(self.usage, done, of)


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON value, bytes, or frames to stream; without a bill it is free.

    `error_frame` is the event by which this wire reports a fault inside a stream.
    """

    body: object = None
    frames: Sequence[Frame] | None = None
    content_type: tuple[bytes, bytes] = JSON_TYPE
    bill: Bill | None = None
    status: int = 200
    headers: Headers = field(default_factory=list)
    error_frame: bytes = b""

    @property
    def chunks(self) -> int:
        """The number of content chunks in the stream."""
        return max((frame.done for frame in self.frames or ()), default=0)


@dataclass(frozen=True, slots=True)
class Plain:
    """A whole response in one go, as an ASGI application."""

    status: int
    headers: Headers
    body: bytes

    def start(self) -> dict[str, object]:
        """Return the ASGI message with status and headers."""
        length = (b"content-length", str(len(self.body)).encode())
        headers = [*self.headers, length]
        return {"type": "http.response.start", "status": self.status, "headers": headers}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        await send(self.start())
        await send({"type": "http.response.body", "body": self.body})
