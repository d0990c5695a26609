"""Live sessions of the Google Gen AI SDK."""

from __future__ import annotations

import functools
import json
from typing import Any

from google import genai
from google.genai import live  # noqa: F401 - connections are opened by a name of this module

from tests.sdk.transparency.answering import Answer
from tests.sdk.transparency.lines import REFUSED, OverWebSocket, says
from tests.sdk.transparency.performing import Play, Step
from tests.sdk.transparency.plays.google import USAGE

READY = {"setupComplete": {}}
SPEAKS = {"serverContent": {"modelTurn": {"role": "model", "parts": [{"text": "Hello"}]}}}
TOLD = {"serverContent": {"turnComplete": True}, "usageMetadata": USAGE}


def line(*messages: Any, **how: Any) -> Answer:
    return says(*map(json.dumps, messages), **how)


async def talk(client: Any) -> Any:
    async with client.aio.live.connect(model="gemini-live") as session:
        await session.send_client_content(turns={"role": "user", "parts": [{"text": "Hi"}]})
        return type(session), [message async for message in session.receive()]


async def leave(client: Any) -> Any:
    async with client.aio.live.connect(model="gemini-live") as session:
        return await anext(aiter(session.receive()))


async def close(client: Any) -> Any:
    async with client.aio.live.connect(model="gemini-live") as session:
        await session.close()


async def fail(client: Any) -> Any:
    async with client.aio.live.connect(model="gemini-live"):
        raise LookupError("the application's own")


WHOLE = line(READY, SPEAKS, TOLD)
STEPS: dict[str, Step] = {
    "turn": Step(talk, (WHOLE,)),
    "left": Step(leave, (WHOLE,)),
    "closed": Step(close, (WHOLE,)),
    "failed": Step(fail, (WHOLE,)),
    "lost": Step(talk, (line(READY, SPEAKS, ends="ConnectionClosedError"),)),
    "refused": Step(talk, (Answer(REFUSED),)),
}
PLAY = Play(
    OverWebSocket(
        ("google.genai.live.ws_connect",),
        *2 * (functools.cache(lambda: genai.Client(api_key="k")),),
    ),
    STEPS,
)
