"""WebSocket sessions of the openai SDK: realtime, responses, live."""

from __future__ import annotations

import functools
import json
from typing import Any

import openai

from tests.sdk.transparency.answering import Answer
from tests.sdk.transparency.lines import REFUSED, OverWebSocket, says
from tests.sdk.transparency.performing import Play, Step
from tests.sdk.transparency.plays.openai_answers import USAGE

SESSION = {"type": "session.created", "event_id": "e0", "session": {"model": "gpt-realtime"}}
TURN = {
    "id": "resp_1",
    "object": "realtime.response",
    "status": "completed",
    "output": [],
    "usage": {"total_tokens": 7, "input_tokens": 5, "output_tokens": 2},
}
BEGUN = {
    "type": "response.created",
    "event_id": "e1",
    "response": {**TURN, "status": "in_progress", "usage": None},
}
DELTA = {
    "type": "response.output_text.delta",
    "event_id": "e2",
    "response_id": "resp_1",
    "item_id": "i",
    "output_index": 0,
    "content_index": 0,
    "delta": "Hello",
}
DONE = {"type": "response.done", "event_id": "e3", "response": TURN}
HEARD = {
    "type": "conversation.item.input_audio_transcription.completed",
    "event_id": "e4",
    "item_id": "i",
    "content_index": 0,
    "transcript": "Hi",
    "usage": {"type": "tokens", **USAGE},
}
BROKEN = {"type": "error", "event_id": "e5", "error": {"type": "server_error", "message": "boom"}}
FAILED = {
    "type": "response.done",
    "event_id": "e6",
    "response": {**TURN, "id": "resp_2", "status": "failed"},
}


def line(*events: Any, **how: Any) -> Answer:
    return says(*map(json.dumps, events), **how)


WHOLE = line(SESSION, BEGUN, DELTA, DONE, HEARD, BROKEN, FAILED)
OPEN = line(SESSION, BEGUN, DELTA)
LOST = line(SESSION, BEGUN, ends="ConnectionClosedError")
FORBIDDEN = Answer(REFUSED)


def read(client: Any) -> Any:
    with client.realtime.connect(model="gpt-realtime") as connection:
        connection.response.create()
        return type(connection), list(connection)


def left(client: Any) -> Any:
    connection = client.realtime.connect(model="gpt-realtime").enter()
    first = connection.recv(), connection.recv()
    connection.close()
    return first


def raw(client: Any) -> Any:
    with client.realtime.connect(model="gpt-realtime") as connection:
        return [connection.recv_bytes() for _ in range(3)]


async def aread(client: Any) -> Any:
    async with client.realtime.connect(model="gpt-realtime") as connection:
        await connection.response.create()
        return type(connection), [event async for event in connection]


async def aleft(client: Any) -> Any:
    connection = await client.realtime.connect(model="gpt-realtime").enter()
    first = await connection.recv(), await connection.recv()
    await connection.close()
    return first


def responses(client: Any) -> Any:
    with client.responses.connect() as connection:
        return [event.type for event in connection]


STEPS: dict[str, Step] = {
    "realtime": Step(read, (WHOLE,)),
    "realtime raw": Step(raw, (WHOLE,)),
    "realtime left": Step(left, (OPEN,)),
    "realtime lost": Step(read, (LOST,)),
    "realtime refused": Step(read, (FORBIDDEN,)),
    "async realtime": Step(aread, (WHOLE,)),
    "async realtime left": Step(aleft, (OPEN,)),
    "async realtime lost": Step(aread, (LOST,)),
    "async realtime refused": Step(aread, (FORBIDDEN,)),
    "responses": Step(responses, (WHOLE,)),
}
PLAY = Play(
    OverWebSocket(
        (
            "websockets.sync.client.connect",
            "websockets.asyncio.client.connect",
            "openai.lib._websocket._WebSocketConnect",
        ),
        functools.cache(lambda: openai.OpenAI(api_key="k", max_retries=0)),
        functools.cache(lambda: openai.AsyncOpenAI(api_key="k", max_retries=0)),
    ),
    STEPS,
)
