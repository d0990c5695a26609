"""LiteLLM over an SDK (openai) and over plain HTTP (anthropic): functions, streams, the router."""

from __future__ import annotations

import gc
import os
from typing import Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
import litellm
import openai
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, HTTPHandler

from tests.sdk.transparency.answering import Answer, as_json, lost, never
from tests.sdk.transparency.performing import OverHttp, Play, Step
from tests.sdk.transparency.plays import anthropic, stainless
from tests.sdk.transparency.plays.openai import CHAT
from tests.sdk.transparency.plays.openai_answers import ANSWER, ASK

litellm.num_retries = 0
litellm.suppress_debug_info = True
litellm.turn_off_message_logging = True


def over_sdk(http: Any, _later: Any) -> dict[str, Any]:
    client = openai.OpenAI(api_key="k", http_client=http, max_retries=0)
    # Of the client's own wish for no second try LiteLLM makes two, with a second between them.
    return {"model": "openai/gpt-4o", "messages": ASK, "client": client, "max_retries": 0}


def over_sdk_later(_plain: Any, http: Any) -> dict[str, Any]:
    client = openai.AsyncOpenAI(api_key="k", http_client=http, max_retries=0)
    return {"model": "openai/gpt-4o", "messages": ASK, "client": client, "max_retries": 0}


def over_http(http: Any, _later: Any) -> dict[str, Any]:
    handler = HTTPHandler(client=http)
    return {"model": "anthropic/claude-x", "messages": ASK, "api_key": "k", "client": handler}


def over_http_later(_plain: Any, http: Any) -> dict[str, Any]:
    handler = AsyncHTTPHandler()
    handler.client = http
    return {"model": "anthropic/claude-x", "messages": ASK, "api_key": "k", "client": handler}


def told(answer: Any) -> Any:
    """An answer without what LiteLLM makes up anew each time: its clock, its own ids."""
    dump = answer.model_dump(warnings=False)
    made_up = ("created", "id")
    return type(answer), {name: value for name, value in dump.items() if name not in made_up}


def ask(given: dict[str, Any]) -> Any:
    return told(litellm.completion(**given))


async def aask(given: dict[str, Any]) -> Any:
    return told(await litellm.acompletion(**given))


def stream(given: dict[str, Any]) -> Any:
    steps = litellm.completion(**given, stream=True)
    return type(steps), [told(chunk) for chunk in steps]


def stream_left(given: dict[str, Any]) -> Any:
    steps = litellm.completion(**given, stream=True)
    first = told(next(steps))
    del steps
    gc.collect()
    return first


def unstarted(given: dict[str, Any]) -> Any:
    steps = litellm.completion(**given, stream=True)
    del steps
    gc.collect()


async def astream(given: dict[str, Any]) -> Any:
    steps = await litellm.acompletion(**given, stream=True)
    return type(steps), [told(chunk) async for chunk in steps]


async def astream_left(given: dict[str, Any]) -> Any:
    steps = await litellm.acompletion(**given, stream=True)
    first = told(await anext(steps))
    del steps
    gc.collect()
    return first


def mocked(given: dict[str, Any]) -> Any:
    return told(litellm.completion(**given, mock_response="hi"))


def embed(given: dict[str, Any]) -> Any:
    answer = litellm.embedding(model="openai/e", input=["Hi"], client=given["client"])
    return type(answer), answer.usage, answer.data


EMBEDDED = as_json(
    {"object": "list", "model": "e", "data": [], "usage": {"prompt_tokens": 5, "total_tokens": 5}}
)
CHAT_EVENTS = stainless.streamed_answer(CHAT)
MESSAGE_EVENTS = anthropic.STREAMED
REFUSED = as_json(stainless.REFUSED, 429)


def steps(answer: Any, events: Answer) -> dict[str, Step]:
    whole = as_json(answer)
    return {
        "plain": Step(ask, (whole,)),
        "refused": Step(ask, (REFUSED,)),
        "unreachable": Step(ask, (lost("ConnectError"),)),
        "broken body": Step(ask, (stainless.BROKEN,)),
        "mocked": Step(mocked, (whole,)),
        "async plain": Step(aask, (whole,)),
        "async refused": Step(aask, (REFUSED,)),
        "async cancelled": Step(aask, (never(),)),
        "stream": Step(stream, (events,), asks_more=True),
        "stream left": Step(stream_left, (events,), asks_more=True),
        "stream unstarted": Step(unstarted, (events,), asks_more=True),
        "stream refused": Step(stream, (REFUSED,), asks_more=True),
        "async stream": Step(astream, (events,), asks_more=True),
        "async stream left": Step(astream_left, (events,), asks_more=True),
        "async stream refused": Step(astream, (REFUSED,), asks_more=True),
    }


OVER_SDK = Play(
    OverHttp("httpx", over_sdk, over_sdk_later),
    {**steps(ANSWER, CHAT_EVENTS), "embeddings": Step(embed, (EMBEDDED,))},
    chatters=True,
)
OVER_HTTP = Play(
    OverHttp("httpx", over_http, over_http_later),
    steps(anthropic.MESSAGE, MESSAGE_EVENTS),
    chatters=True,
)
