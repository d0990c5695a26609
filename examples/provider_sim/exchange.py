"""Sends one answer, bills it, and lets the wished failure strike on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from examples.provider_sim import connection
from examples.provider_sim.answers import JSON_TYPE, SSE_TYPE, Answer, Frame, Headers, Plain
from examples.provider_sim.billing import Billing
from examples.provider_sim.calls import Call
from examples.provider_sim.failures import INTERRUPTIONS, SILENCES, Failure
from examples.provider_sim.values import dump


@dataclass(slots=True)
class Exchange:
    """The answer to one call as an ASGI application."""

    call: Call
    build: Callable[[Call], Answer]
    failure: Failure | None
    headers: Headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer, or what the failure leaves of it."""
        failure = self.failure
        billing = Billing(self.call, failure.kind if failure else None)
        if failure and failure.kind in SILENCES:
            await self._say_nothing(failure, billing, receive)
            return
        answer = self.build(self.call)
        if answer.frames is not None:
            await self._stream(answer, billing, receive, send)
            return
        billing.charge(answer, delivered=True)
        plain = self._whole(answer)
        # A plain answer is generated whole before it is sent: it costs in full, half received.
        if failure and failure.kind in INTERRUPTIONS:
            billing.undelivered()
            await _send_half(plain, failure, receive, send)
            return
        await plain(scope, receive, send)

    async def _say_nothing(self, failure: Failure, billing: Billing, receive: Receive) -> None:
        if failure.billed:
            billing.charge(self.build(self.call), delivered=False)
        if failure.kind == "timeout":
            await connection.hang(receive, failure.seconds)
        await connection.drop(receive, hard=failure.kind == "reset")

    def _whole(self, answer: Answer) -> Plain:
        body = answer.body if isinstance(answer.body, bytes) else dump(answer.body)
        if self.call.fault("malformed_json"):
            body = body[: len(body) * 2 // 3]
        if self.call.fault("empty_body"):
            body = b""
        headers = [answer.content_type, *answer.headers, *self.headers]
        return Plain(answer.status, headers, body)

    async def _stream(self, answer: Answer, billing: Billing, receive: Receive, send: Send) -> None:
        billing.begin(answer)
        kind = SSE_TYPE if answer.content_type is JSON_TYPE else answer.content_type
        headers = [kind, *answer.headers, *self.headers]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        frames, ending = _struck(answer, self.failure)
        done = await self._send_frames(frames, answer, billing, receive, send)
        if done is None:
            return
        if ending is not None:
            billing.break_off(answer, done)
        await _end(ending, receive, send)

    async def _send_frames(
        self,
        frames: Sequence[Frame],
        answer: Answer,
        billing: Billing,
        receive: Receive,
        send: Send,
    ) -> int | None:
        """Return the content chunks sent, None when the client left before the last one.

        The ledger is settled before the last bytes leave, so that a client that has read them finds
        it right.
        """
        done, settled, plan = 0, False, self.call.plan
        for frame in _batches(frames, plan.batch):
            if frame.last and not settled:
                billing.complete(answer)
                settled = True
            await send({"type": "http.response.body", "body": frame.data, "more_body": True})
            done = frame.done
            # With the final usage in hand, a client may well leave before the closing events.
            if settled:
                continue
            # Even with no delay: the loop must get to see that the client has closed.
            await asyncio.sleep(plan.chunk_delay)
            if connection.lost(receive):
                billing.break_off(answer, done)
                return None
        return done


def _struck(answer: Answer, failure: Failure | None) -> tuple[list[Frame], Failure | None]:
    """Return the frames that still go out, and the failure that ends them, if one does."""
    frames = list(answer.frames or ())
    if failure is None:
        return frames, None
    if failure.kind == "duplicate_last":
        at = max((i for i, frame in enumerate(frames) if frame.last), default=len(frames) - 1)
        return [*frames[: at + 1], *frames[at:]], None
    # A stream is never one JSON text: what is malformed there is a chunk.
    kind = "malformed_chunk" if failure.kind == "malformed_json" else failure.kind
    if kind not in INTERRUPTIONS:
        return frames, None
    after = failure.strikes_after(answer.chunks)
    kept = _until(frames, after, answer.chunks)
    if kind == "error_event":
        kept.append(Frame(answer.error_frame, after))
    if kind == "malformed_chunk":
        # Half of the event that would have come next, so that every parser stumbles over it.
        following = frames[min(len(kept), len(frames) - 1)].data
        kept.append(Frame(following.rstrip()[: len(following) // 2] + b"\n\n", after))
    return kept, failure


def _until(frames: list[Frame], after: int, chunks: int) -> list[Frame]:
    """Return the frames up to content chunk `after`, never the closing ones."""
    if after < chunks:
        return [frame for frame in frames if frame.done <= after]
    # All content and nothing after it: the closing events share the last chunk's count.
    whole = [i for i, frame in enumerate(frames) if frame.done == chunks]
    return [frame._replace(last=False) for frame in frames[: whole[0] + 1]] if whole else []


async def _send_half(plain: Plain, failure: Failure, receive: Receive, send: Send) -> None:
    """Send half of a whole answer, then stall or break."""
    await send(plain.start())
    half = plain.body[: len(plain.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})
    if failure.kind == "stall":
        await connection.hang(receive, failure.seconds)
    await connection.drop(receive, hard=failure.kind == "break")


async def _end(ending: Failure | None, receive: Receive, send: Send) -> None:
    """End a stream: properly, or as the failure wants it."""
    kind = ending.kind if ending else ""
    if ending and kind == "stall":
        await connection.hang(receive, ending.seconds)
    # A stall, too, ends without the final zero chunk: the client must not take it for complete.
    if kind in ("stall", "break", "cut"):
        await connection.drop(receive, hard=kind == "break")
        return
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _batches(frames: Sequence[Frame], size: int) -> Sequence[Frame]:
    """Return the frames joined into writes of `size` events."""
    if size <= 1:
        return frames
    groups = [frames[i : i + size] for i in range(0, len(frames), size)]
    return [
        Frame(b"".join(frame.data for frame in group), group[-1].done, any(f.last for f in group))
        for group in groups
    ]
