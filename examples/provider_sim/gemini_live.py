"""Gemini's live sessions on the wire: a setup, then turns, each with its usage at its end."""

from __future__ import annotations

import asyncio

from examples.provider_sim.answers import Bill
from examples.provider_sim.calls import Call
from examples.provider_sim.meters import gemini_live
from examples.provider_sim.replies import pieces, response_id, served_model
from examples.provider_sim.sessions import Session, charge, hang_up
from examples.provider_sim.values import Json, input_tokens, overlay, share


async def talk(session: Session) -> None:
    """Hold a live session: an answer for each turn that the client completes."""
    model = ""
    turns: list[object] = []
    async for event in session.heard():
        if "setup" in event:
            model = str(event["setup"].get("model") or "").rpartition("/")[2]
            name = session.call(model=model).state.ids.new("live-")
            await session.say({"setupComplete": {"sessionId": name}})
            continue
        content = event.get("client_content") or event.get("clientContent") or {}
        turns += content.get("turns") or []
        spoken = event.get("realtime_input") or event.get("realtimeInput") or {}
        if "text" in spoken:
            turns.append({"parts": [{"text": spoken["text"]}]})
        done = content.get("turn_complete") or content.get("turnComplete") or "text" in spoken
        if done and not await _answer(session, session.turn({"contents": turns}, model)):
            return


async def _answer(session: Session, call: Call) -> bool:
    """Answer one turn; False when the connection was dropped in it."""
    usage = _usage(call)
    bill = Bill(served_model(call), usage, gemini_live, _partial, response_id(call, "", 22))
    parts = pieces(call, usage.get("responseTokenCount") or 0)
    for done, part in enumerate(parts, 1):
        turn = {"parts": [{"text": part}], "role": "model"}
        await session.say({"serverContent": {"modelTurn": turn}})
        await asyncio.sleep(call.plan.chunk_delay)
        if call.fault("break") and done * 2 >= len(parts):
            charge(call, bill, done=done, of=len(parts))
            await hang_up(session)
            return False
    await session.say({"serverContent": {"generationComplete": True}})
    charge(call, bill)
    told = {} if call.fault("no_usage") else {"usageMetadata": usage}
    await session.say({"serverContent": {"turnComplete": True}, **told})
    return True


def _usage(call: Call) -> Json:
    read = input_tokens(call.body)
    made = 8 + read % 9
    default: Json = {
        "promptTokenCount": read,
        "responseTokenCount": made,
        "totalTokenCount": read + made,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": read}],
        "responseTokensDetails": [{"modality": "TEXT", "tokenCount": made}],
    }
    return overlay(default, call.plan.usage)


def _partial(usage: Json, done: int, of: int) -> Json:
    made = share(usage["responseTokenCount"], done, of)
    details = [{"modality": "TEXT", "tokenCount": made}]
    return {
        **usage,
        "responseTokenCount": made,
        "responseTokensDetails": details,
        "totalTokenCount": usage["promptTokenCount"] + made,
    }
