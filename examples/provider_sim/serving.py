"""Serves one request: wishes, failures, billing and sending, the same way for every wire.

A wire module only builds an `Answer`; what strikes on the way, and what is billed then, is decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from examples.provider_sim import connection
from examples.provider_sim.calls import Call, NotJson, Operation, read_call
from examples.provider_sim.failures import INTERRUPTIONS, REFUSALS, SILENCES, Failure
from examples.provider_sim.ledger import Charge, Visit
from examples.provider_sim.meters import Meters
from examples.provider_sim.plans import WishError
from examples.provider_sim.refusals import refuse
from examples.provider_sim.values import Json, dump

Headers = list[tuple[bytes, bytes]]
JSON_TYPE = (b"content-type", b"application/json")
SSE_TYPE = (b"content-type", b"text/event-stream; charset=utf-8")


class Frame(NamedTuple):
    """One event of a stream; `done` = content chunks generated once it is out, `last` = carries the final usage."""

    data: bytes
    done: int
    last: bool = False


@dataclass(frozen=True, slots=True)
class Bill:
    """What an answer costs: the true usage, its meters, and what remains of it after k of n chunks."""

    model: str
    usage: Json
    meters: Callable[[Json], Meters]
    partial: Callable[[Json, int, int], Json] | None = None
    response_id: str | None = None
    tier: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A wire's answer: a JSON body, raw bytes, or frames; `bill` None is free, `error_frames` end a stream badly."""

    body: object = None
    frames: Sequence[Frame] | None = None
    content_type: tuple[bytes, bytes] = JSON_TYPE
    bill: Bill | None = None
    status: int = 200
    headers: Headers = field(default_factory=list)
    error_frame: bytes = b""


Build = Callable[[Call], Answer]
UsualHeaders = Callable[[Call], Headers]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation as an ASGI application; `model_in` finds the model in the path where the body has none."""

    operation: Operation
    build: Build
    usual_headers: UsualHeaders
    model_in: Callable[[str], str] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the call, let it fail when it is to fail, otherwise answer it."""
        app = await self._settle(Request(scope, receive))
        await app(scope, receive, send)

    async def _settle(self, request: Request) -> ASGIApp:
        try:
            call = await read_call(request, self.operation, model=self.model_in and self.model_in(request.scope["path"]))
        except (WishError, NotJson) as error:
            return self._misunderstood(str(error))
        if call.plan.delay:
            await asyncio.sleep(call.plan.delay)
        failure = _due(call)
        if failure is None and call.plan.fail is not None:
            call = replace(call, plan=replace(call.plan, fail=None))
        call.state.ledger.visits.append(_visit(call, failure.kind if failure else "ok"))
        headers = self.usual_headers(call)
        if failure and failure.kind in REFUSALS:
            return _refusal(call, failure, headers)
        return Exchange(call, self.build, failure, headers)

    def _misunderstood(self, message: str) -> Plain:
        failure = Failure("bad_request")
        refusal = refuse(self.operation.wire, failure, model="", request_id="req_sim")
        refusal.body["error"]["message"] = message
        return Plain(400, [JSON_TYPE], dump(refusal.body))


def _due(call: Call) -> Failure | None:
    """Return the failure of this very try, counting tries of one and the same request."""
    failure = call.plan.fail
    if failure is None or (failure.kind.startswith("reject_stream") and "stream_options" not in call.body):
        return None
    if failure.times is None:
        return failure
    key, attempts = hash((call.path, call.raw)), call.state.attempts
    with call.state.lock:
        attempts[key] = attempts.get(key, 0) + 1
        if attempts[key] <= failure.times:
            return failure
        del attempts[key]
    return None


def _visit(call: Call, outcome: str) -> Visit:
    return Visit(call.at, call.provider, call.operation.name, call.path, call.model, call.attempt, outcome)


def _refusal(call: Call, failure: Failure, headers: Headers) -> Plain:
    refusal = refuse(call.operation.wire, failure, model=call.model, request_id=call.request_id)
    own = [(name.encode(), value.encode()) for name, value in refusal.headers.items()]
    text = failure.body.encode() if isinstance(failure.body, str) else dump(refusal.body)
    return Plain(refusal.status, [JSON_TYPE, *own, *headers], text)


@dataclass(frozen=True, slots=True)
class Plain:
    """A whole body in one go, as an ASGI application."""

    status: int
    headers: Headers
    body: bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        length = (b"content-length", str(len(self.body)).encode())
        await send({"type": "http.response.start", "status": self.status, "headers": [*self.headers, length]})
        await send({"type": "http.response.body", "body": self.body})


@dataclass(slots=True)
class Exchange:
    """The answer on its way to the client, as an ASGI application: bills it and lets failures strike."""

    call: Call
    build: Build
    failure: Failure | None
    headers: Headers
    row: int | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer, or what is left of it."""
        kind = self.failure.kind if self.failure else ""
        if self.failure and kind in SILENCES:
            await self._say_nothing(self.failure, receive)
            return
        answer = self.build(self.call)
        if answer.frames is not None:
            await self._stream(answer, receive, send)
            return
        self._bill(answer, delivered=True)
        body = answer.body if isinstance(answer.body, bytes) else dump(answer.body)
        headers = [answer.content_type, *answer.headers, *self.headers]
        if self.failure and kind in INTERRUPTIONS:
            await self._half(Plain(answer.status, headers, body), receive, send)
            return
        if kind == "malformed_json":
            body = body[: len(body) * 2 // 3]
        await Plain(answer.status, headers, b"" if kind == "empty_body" else body)(scope, receive, send)

    async def _say_nothing(self, failure: Failure, receive: Receive) -> None:
        if failure.billed:
            self._bill(self.build(self.call), delivered=False)
        if failure.kind == "timeout":
            await connection.hang(receive, failure.seconds)
        await connection.drop(receive, hard=failure.kind == "reset")

    async def _half(self, plain: Plain, receive: Receive, send: Send) -> None:
        """Send half of a plain body, then stall or break."""
        failure = self._struck()
        self._revise(delivered=False)
        length = (b"content-length", str(len(plain.body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [*plain.headers, length]})
        await send({"type": "http.response.body", "body": plain.body[: len(plain.body) // 2], "more_body": True})
        if failure.kind == "stall":
            await connection.hang(receive, failure.seconds)
        await connection.drop(receive, hard=failure.kind == "break")

    async def _stream(self, answer: Answer, receive: Receive, send: Send) -> None:
        frames = list(answer.frames or ())
        chunks = max((frame.done for frame in frames), default=0)
        self._bill(answer, delivered=False, done=0, of=chunks)
        headers = [SSE_TYPE if answer.content_type is JSON_TYPE else answer.content_type, *answer.headers, *self.headers]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        frames, ending = self._strike(frames, chunks, answer)
        if await self._send_frames(answer, frames, ending, receive, send):
            await self._end(ending, receive, send)

    async def _send_frames(
        self, answer: Answer, frames: list[Frame], ending: Failure | None, receive: Receive, send: Send
    ) -> bool:
        """Send the frames; False when the client went away. The ledger is right before the last bytes leave."""
        chunks = max((frame.done for frame in answer.frames or ()), default=0)
        done, settled = 0, False
        for frame in _batches(frames, self.call.plan.batch):
            if frame.last and ending is None and not settled:
                self._account(answer, frame.done, chunks, delivered=True)
                settled = True
            await send({"type": "http.response.body", "body": frame.data, "more_body": True})
            done = frame.done
            if not settled:
                await asyncio.sleep(self.call.plan.chunk_delay)
                if connection.lost(receive):
                    self._account(answer, done, chunks, delivered=False)
                    return False
        if not settled:
            self._account(answer, done, chunks, delivered=False)
        return True

    def _strike(self, frames: list[Frame], chunks: int, answer: Answer) -> tuple[list[Frame], Failure | None]:
        """Return the frames that still go out, and the failure that ends them, if any."""
        failure = self.failure
        if failure is None:
            return frames, None
        if failure.kind == "duplicate_last":
            at = max((i for i, frame in enumerate(frames) if frame.last), default=len(frames) - 1)
            return [*frames[: at + 1], *frames[at:]], None
        if failure.kind == "malformed_json":
            failure = Failure("malformed_chunk", after=failure.after)
        if failure.kind not in INTERRUPTIONS:
            return frames, None
        after = failure.strikes_after(chunks)
        kept = [frame for frame in frames if frame.done <= after and not frame.last]
        if after == chunks:
            kept = [frame for frame in kept if frame.done < chunks] + [f for f in frames if f.done == chunks][:1]
        if failure.kind == "error_event":
            kept.append(Frame(answer.error_frame, after))
        if failure.kind == "malformed_chunk":
            kept.append(Frame(b'data: {"simulated": "broken\n\n', after))
        return kept, failure

    def _struck(self) -> Failure:
        assert self.failure is not None
        return self.failure

    async def _end(self, ending: Failure | None, receive: Receive, send: Send) -> None:
        kind = ending.kind if ending else ""
        if ending and kind == "stall":
            await connection.hang(receive, ending.seconds)
        if kind in ("stall", "break", "cut"):
            await connection.drop(receive, hard=kind == "break")
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _bill(self, answer: Answer, *, delivered: bool, done: int | None = None, of: int = 0) -> None:
        bill, call = answer.bill, self.call
        if bill is None:
            return
        usage = bill.usage if done is None or bill.partial is None else bill.partial(bill.usage, done, of)
        meters = bill.meters(usage)
        with call.state.lock:
            self.row = call.state.ledger.bill(
                Charge(
                    at=call.at,
                    provider=call.provider,
                    operation=call.operation.name,
                    path=call.path,
                    requested_model=call.model,
                    model=bill.model,
                    service_tier=bill.tier,
                    api_key_id=call.api_key_id,
                    project=call.project,
                    request_id=call.request_id,
                    response_id=bill.response_id,
                    stream=answer.frames is not None,
                    usage=usage,
                    meters=meters,
                    amounts=call.state.prices.amounts(call.provider, bill.model, meters, bill.tier),
                    delivered=delivered,
                    partial=done is not None,
                    fault=self.failure.kind if self.failure else None,
                )
            )

    def _account(self, answer: Answer, done: int, of: int, *, delivered: bool) -> None:
        """Settle a stream's row on what was generated."""
        bill, call = answer.bill, self.call
        if bill is None:
            return
        whole = delivered or bill.partial is None or (done >= of and self.failure is None)
        usage = bill.usage if whole or bill.partial is None else bill.partial(bill.usage, done, of)
        meters = bill.meters(usage)
        amounts = call.state.prices.amounts(call.provider, bill.model, meters, bill.tier)
        self._revise(usage=usage, meters=meters, amounts=amounts, delivered=delivered, partial=not whole)

    def _revise(self, **changes: object) -> None:
        if self.row is not None:
            with self.call.state.lock:
                self.call.state.ledger.revise(self.row, **changes)


def _batches(frames: list[Frame], size: int) -> Sequence[Frame]:
    """Return the frames joined into writes of `size` events."""
    if size <= 1:
        return frames
    groups = [frames[i : i + size] for i in range(0, len(frames), size)]
    return [Frame(b"".join(f.data for f in g), g[-1].done, any(f.last for f in g)) for g in groups]

