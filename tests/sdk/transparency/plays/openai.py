"""The openai SDK: chat in every shape, and what only it has."""

from __future__ import annotations

from typing import Any

import openai

from tests.sdk.transparency.answering import as_events, as_json
from tests.sdk.transparency.performing import OverHttp, Play, Step
from tests.sdk.transparency.plays import stainless
from tests.sdk.transparency.plays.openai_answers import (
    ANSWER,
    ASK,
    CHUNKS,
    TOLD,
    USAGE,
    chunk,
)

SDK = OverHttp(
    "httpx2" if openai.__version__ >= "3" else "httpx",
    lambda http, _: openai.OpenAI(api_key="k", http_client=http, max_retries=0),
    lambda _, http: openai.AsyncOpenAI(api_key="k", http_client=http, max_retries=0),
)
CHAT = stainless.Asked(
    lambda client: client.chat.completions,
    {"model": "gpt-4o", "messages": ASK},
    ANSWER,
    (*CHUNKS, "[DONE]"),
    told=TOLD,
)
STEPS: dict[str, Step] = {f"chat {name}": one for name, one in stainless.steps(CHAT).items()}

RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-4o-2024-08-06",
    "status": "completed",
    "output": [],
    "parallel_tool_calls": False,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 7,
    },
}
QUEUED = {**RESPONSE, "status": "queued", "usage": None}
RESPONSE_EVENTS = as_events(
    {"type": "response.created", "sequence_number": 0, "response": QUEUED},
    {"type": "response.completed", "sequence_number": 1, "response": RESPONSE},
    named=True,
)
BATCH = {
    "id": "batch_1",
    "object": "batch",
    "status": "validating",
    "created_at": 1,
    "endpoint": "/v1/chat/completions",
    "input_file_id": "file_1",
    "completion_window": "24h",
}
CHAT_EVENTS = stainless.streamed_answer(CHAT)
TWO = (chunk(), chunk(1, "Hola"), chunk(0, None, "stop"), chunk(1, None, "stop"), "[DONE]")
TWO_CHOICES = stainless.streamed_answer(CHAT._replace(events=TWO))
REFUSAL = as_json({"error": {"message": "stream_options: not allowed"}}, 400)
REFUSING = as_events(*CHUNKS, "[DONE]")._replace(if_asked=REFUSAL)


STREAMED: dict[str, Any] = {"model": "gpt-4o", "messages": ASK, "stream": True}


class Point(openai.BaseModel):
    x: int


def chats(client: Any, **more: Any) -> list[Any]:
    return list(client.chat.completions.create(**STREAMED, **more))


def also(name: str, *answers: Any, asks_more: bool = False) -> Any:
    """Adds the decorated function to the steps."""

    def add(run: Any) -> Any:
        STEPS[name] = Step(run, answers, asks_more)
        return run

    return add


also("usage asked for", CHAT_EVENTS)(
    lambda client: chats(client, stream_options={"include_usage": True})
)
also("usage refused by the caller", CHAT_EVENTS)(
    lambda client: chats(client, stream_options={"include_usage": False})
)
also("usage that nobody asked for", TWO_CHOICES, asks_more=True)(lambda client: chats(client, n=2))
also("usage refused by the host", REFUSING, asks_more=True)(
    lambda client: (chats(client), chats(client))
)
also("embeddings", as_json({"object": "list", "model": "e", "data": [], "usage": USAGE}))(
    lambda client: client.embeddings.create(model="e", input="Hi", encoding_format="float")
)
also("images", as_json({"created": 1, "data": [{"url": "http://images.test/1"}]}))(
    lambda client: client.images.generate(model="dall-e-3", prompt="a cat")
)
also("speech", as_json({}))(
    lambda client: client.audio.speech.create(model="tts-1", voice="alloy", input="Hi").content
)
also("models", as_json({"object": "list", "data": []}))(lambda client: list(client.models.list()))
also("batch", as_json(BATCH))(
    lambda client: client.batches.create(
        input_file_id="file_1", endpoint="/v1/chat/completions", completion_window="24h"
    )
)
also("parse", as_json(ANSWER))(
    lambda client: client.chat.completions.parse(
        model="gpt-4o", messages=ASK, response_format=Point
    )
)
also("post", as_json(ANSWER))(
    lambda client: client.post(
        "/chat/completions", cast_to=object, body={"model": "gpt-4o", "messages": ASK}
    )
)
also("response", as_json(RESPONSE))(lambda client: client.responses.create(model="m", input="Hi"))
also("response stream", RESPONSE_EVENTS)(
    lambda client: list(client.responses.create(model="m", input="Hi", stream=True))
)


@also("response in the background", as_json(QUEUED), as_json(RESPONSE))
def in_background(client: Any) -> Any:
    begun = client.responses.create(model="m", input="Hi", background=True)
    return begun, client.responses.retrieve(begun.id), client.responses.retrieve(begun.id)


@also("chat helper", CHAT_EVENTS, asks_more=True)
def helper(client: Any) -> Any:
    with client.chat.completions.stream(model="gpt-4o", messages=ASK) as stream:
        return [event.type for event in stream], stream.get_final_completion()


@also("chat helper closed", CHAT_EVENTS, asks_more=True)
def helper_closed(client: Any) -> Any:
    with client.chat.completions.stream(model="gpt-4o", messages=ASK) as stream:
        return next(iter(stream)).type


@also("async chat helper closed", CHAT_EVENTS, asks_more=True)
async def ahelper_closed(client: Any) -> Any:
    async with client.chat.completions.stream(model="gpt-4o", messages=ASK) as stream:
        return (await anext(aiter(stream))).type


@also("response helper", RESPONSE_EVENTS)
def response_helper(client: Any) -> Any:
    with client.responses.stream(model="m", input="Hi") as stream:
        return stream.get_final_response()


@also("async response helper closed", RESPONSE_EVENTS)
async def aresponse_helper(client: Any) -> Any:
    async with client.responses.stream(model="m", input="Hi") as stream:
        return (await anext(aiter(stream))).type


PLAY = Play(SDK, STEPS)
