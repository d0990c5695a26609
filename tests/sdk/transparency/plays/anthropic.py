"""The anthropic SDK: messages in every shape, its helper, batches and what is free."""

from __future__ import annotations

import json
from typing import Any

import anthropic

from tests.sdk.transparency.answering import Answer, as_events, as_json
from tests.sdk.transparency.performing import OverHttp, Play, Step
from tests.sdk.transparency.plays import stainless

ASK = [{"role": "user", "content": "Hi"}]
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 5, "output_tokens": 2},
}
EVENTS = (
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "text", "text": ""},
    },
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "Hello"},
    },
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 2},
    },
    {"type": "message_stop"},
)
ENDED = {
    "id": "batch_1",
    "type": "message_batch",
    "processing_status": "ended",
    "created_at": "2026-01-01T00:00:00Z",
    "expires_at": "2026-01-02T00:00:00Z",
    "archived_at": None,
    "cancel_initiated_at": None,
    "ended_at": None,
    "results_url": "https://api.anthropic.com/v1/messages/batches/batch_1/results",
    "request_counts": {"processing": 0, "succeeded": 2, "errored": 0, "canceled": 0, "expired": 0},
}
RESULTS = tuple(
    json.dumps(
        {
            "custom_id": f"request-{number}",
            "result": {"type": "succeeded", "message": {**MESSAGE, "id": f"msg_{number}"}},
        }
    ).encode()
    + b"\n"
    for number in (1, 2)
)
LINES = Answer(200, RESULTS, "application/x-jsonl")

SDK = OverHttp(
    "httpx2" if int(anthropic.__version__.partition(".")[0]) >= 1 else "httpx",
    lambda http, _: anthropic.Anthropic(api_key="k", http_client=http, max_retries=0),
    lambda _, http: anthropic.AsyncAnthropic(api_key="k", http_client=http, max_retries=0),
)
MESSAGES = stainless.Asked(
    lambda client: client.messages,
    {"model": "claude-x", "max_tokens": 9, "messages": ASK},
    MESSAGE,
    EVENTS,
    named=True,
)
STREAMED = as_events(*EVENTS, named=True)


def helper(client: Any) -> Any:
    with client.messages.stream(**MESSAGES.given) as stream:
        return list(stream.text_stream), stream.get_final_message()


def helper_closed(client: Any) -> Any:
    with client.messages.stream(**MESSAGES.given) as stream:
        return next(iter(stream)).type


async def ahelper(client: Any) -> Any:
    async with client.messages.stream(**MESSAGES.given) as stream:
        return [text async for text in stream.text_stream], await stream.get_final_message()


def results(client: Any) -> Any:
    return list(client.messages.batches.results("batch_1"))


async def aresults(client: Any) -> Any:
    return [line async for line in await client.messages.batches.results("batch_1")]


def results_left(client: Any) -> Any:
    return next(iter(client.messages.batches.results("batch_1")))


STEPS: dict[str, Step] = {
    **{f"message {name}": one for name, one in stainless.steps(MESSAGES).items()},
    "helper": Step(helper, (STREAMED,)),
    "helper closed": Step(helper_closed, (STREAMED,)),
    "async helper": Step(ahelper, (STREAMED,)),
    "beta": Step(lambda client: client.beta.messages.create(**MESSAGES.given), (as_json(MESSAGE),)),
    "tokens": Step(
        lambda client: client.messages.count_tokens(model="claude-x", messages=ASK),
        (as_json({"input_tokens": 5}),),
    ),
    "batch results": Step(results, (as_json(ENDED), LINES)),
    "async batch results": Step(aresults, (as_json(ENDED), LINES)),
    "batch results left": Step(results_left, (as_json(ENDED), LINES)),
}

PLAY = Play(SDK, STEPS)
