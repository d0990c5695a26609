"""OpenAI's sessions on the wire: realtime (text and audio turns, transcription), responses, live.

The event names are those of the GA interface; the sessions of the beta differ in the names of the
deltas, which carry no usage.
"""

from __future__ import annotations

import asyncio
import base64
import json

from examples.provider_sim import openai_responses
from examples.provider_sim.answers import Bill
from examples.provider_sim.calls import Call
from examples.provider_sim.meters import openai_audio, openai_realtime
from examples.provider_sim.openai_common import output_tokens, seen_usage, usage_of
from examples.provider_sim.replies import pieces, response_id, served_model
from examples.provider_sim.sessions import Session, charge, hang_up
from examples.provider_sim.values import Json, input_tokens, overlay, share

_BYTES_PER_SECOND = 48_000
"""PCM of 16 bits at 24 kHz."""
_TOKENS_PER_SECOND = 10


async def realtime(session: Session) -> None:
    """Hold a realtime session: items in, one response for each `response.create`."""
    state = _Realtime(session)
    await session.say({"type": "session.created", "session": state.settings})
    async for event in session.heard():
        await state.hear(event)


class _Realtime:
    """What a realtime session remembers: settings, conversation, audio not yet committed."""

    def __init__(self, session: Session) -> None:
        self.session = session
        call = session.call()
        self.settings: Json = {
            "id": call.state.ids.new("sess_"),
            "type": "realtime",
            "object": "realtime.session",
            "model": served_model(call),
        }
        self.items: list[Json] = []
        self.audio_bytes = 0

    async def hear(self, event: Json) -> None:
        """Answer one event of the client's."""
        kind = event.get("type")
        if kind == "session.update":
            self.settings = overlay(self.settings, event.get("session"))
            await self.session.say({"type": "session.updated", "session": self.settings})
        elif kind == "conversation.item.create":
            self.items.append(event.get("item") or {})
            await self.session.say({"type": "conversation.item.added", "item": self.items[-1]})
        elif kind == "input_audio_buffer.append":
            self.audio_bytes += len(base64.b64decode(event.get("audio") or ""))
        elif kind == "input_audio_buffer.commit":
            await self._commit()
        elif kind == "response.create":
            await self._respond(event.get("response") or {})
        else:
            await self.session.say({"type": "error", "error": _unknown(kind)})

    async def _commit(self) -> None:
        item_id = self.session.call().state.ids.new("item_")
        seconds, self.audio_bytes = self.audio_bytes / _BYTES_PER_SECOND, 0
        self.items.append({"id": item_id, "audio_seconds": seconds})
        await self.session.say({"type": "input_audio_buffer.committed", "item_id": item_id})
        model = _transcriber(self.settings)
        if model is not None:
            await self._transcribe(item_id, seconds, model)

    async def _transcribe(self, item_id: str, seconds: float, model: str) -> None:
        call = self.session.turn({}, model, "transcriptions")
        tokens = round(seconds * _TOKENS_PER_SECOND)
        usage: Json = {
            "type": "tokens",
            "input_tokens": tokens,
            "input_token_details": {"text_tokens": 0, "audio_tokens": tokens},
            "output_tokens": 2,
            "total_tokens": tokens + 2,
        }
        if model == "whisper-1":
            usage = {"type": "duration", "seconds": seconds}
        charge(call, Bill(model, usage, openai_audio, None, item_id))
        await self.session.say(
            {
                "type": "conversation.item.input_audio_transcription.completed",
                "item_id": item_id,
                "content_index": 0,
                "transcript": "simulated words",
                "usage": usage,
            }
        )

    async def _respond(self, wanted: Json) -> None:
        call = self.session.turn({"input": [*self.items, wanted]})
        heard = sum(item.get("audio_seconds") or 0 for item in self.items)
        usage = _usage(call, round(heard * _TOKENS_PER_SECOND))
        number = response_id(call, "resp_")
        bill = Bill(served_model(call), usage, openai_realtime, _partial, number)
        head: Json = {"id": number, "object": "realtime.response", "status": "in_progress"}
        await self.session.say({"type": "response.created", "response": head})
        parts = pieces(call, usage["output_tokens"])
        for done, part in enumerate(parts, 1):
            await self.session.say({"type": "response.output_text.delta", "delta": part})
            await asyncio.sleep(call.plan.chunk_delay)
            if call.fault("break") and done * 2 >= len(parts):
                charge(call, bill, done=done, of=len(parts))
                await hang_up(self.session)
                return
        await self._done(call, bill, head)

    async def _done(self, call: Call, bill: Bill, head: Json) -> None:
        status, details, told = "completed", None, seen_usage(call, bill.usage)
        if call.fault("error_event"):
            error = {"type": "server_error", "code": "server_error"}
            status, details, told = "failed", {"type": "failed", "error": error}, {"usage": None}
        elif call.fault("cut"):
            # The user spoke: the answer ends, and what was made of it is billed.
            status, details = "cancelled", {"type": "cancelled", "reason": "turn_detected"}
        if status != "failed":
            charge(call, bill)
        done = {**head, "status": status, "status_details": details, "output": [], **told}
        await self.session.say({"type": "response.done", "response": done})


def _transcriber(settings: Json) -> str | None:
    wanted = ((settings.get("audio") or {}).get("input") or {}).get("transcription")
    wanted = wanted or settings.get("input_audio_transcription") or {}
    model = wanted.get("model")
    return str(model) if model else None


def _usage(call: Call, audio: int) -> Json:
    text = input_tokens(call.body)
    made = output_tokens(call, text)
    default: Json = {
        "total_tokens": text + audio + made,
        "input_tokens": text + audio,
        "output_tokens": made,
        "input_token_details": {
            "text_tokens": text,
            "audio_tokens": audio,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": made, "audio_tokens": 0},
    }
    return usage_of(call, default)


def _partial(usage: Json, done: int, of: int) -> Json:
    parts = {
        name: share(count or 0, done, of)
        for name, count in (usage.get("output_token_details") or {}).items()
    }
    made = share(usage["output_tokens"], done, of)
    total = usage["input_tokens"] + made
    return {**usage, "output_tokens": made, "output_token_details": parts, "total_tokens": total}


def _unknown(kind: object) -> Json:
    return {
        "type": "invalid_request_error",
        "code": "invalid_value",
        "message": f"Unknown event {kind}",
    }


async def responses(session: Session) -> None:
    """Hold a session of responses: the events of a stream for each `response.create`."""
    async for event in session.heard():
        if event.get("type") != "response.create":
            await session.say({"type": "error", "error": _unknown(event.get("type"))})
            continue
        body = {name: value for name, value in event.items() if name != "type"}
        call = session.turn({**body, "stream": True}, str(event.get("model") or ""), "responses")
        answer = openai_responses.respond(call)
        assert answer.bill is not None
        for frame in answer.frames or ():
            if frame.last:
                charge(call, answer.bill)
            await session.say(json.loads(frame.data.partition(b"data: ")[2]))


async def live(session: Session) -> None:
    """Hold a live session, which bills seconds: cumulative reports, the last one is the truth."""
    call = session.call()
    seconds = 0.0
    name = call.state.ids.new("live_")
    settings: Json = {"id": name, "object": "live.session", "model": served_model(call)}
    await session.say({"type": "session.started", "session": settings})
    async for event in session.heard():
        if event.get("type") == "input_audio.append":
            seconds += len(base64.b64decode(event.get("audio") or "")) / _BYTES_PER_SECOND
            report = {"type": "session.usage.updated", "usage": {"seconds": seconds}}
            await session.say(report)
        elif event.get("type") == "session.close":
            break
    usage: Json = {"type": "duration", "seconds": seconds}
    charge(call, Bill(served_model(call), usage, openai_audio, None, name))
    closed: Json = {"reason": "close_requested", "usage": {"seconds": seconds}}
    await session.say({"type": "session.closed", "session": settings, **closed})
