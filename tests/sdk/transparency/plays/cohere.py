"""The Cohere SDK: chat plain and streamed, embeddings, reranking."""

from __future__ import annotations

from typing import Any

import cohere

from tests.sdk.transparency.answering import Answer, as_events, as_json, lost, never
from tests.sdk.transparency.performing import OverHttp, Play, Step
from tests.sdk.transparency.plays.openai_answers import ASK

USAGE = {"billed_units": {"input_tokens": 5, "output_tokens": 2}}
MESSAGE = {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]}
ANSWER = {"id": "co-1", "finish_reason": "COMPLETE", "message": MESSAGE, "usage": USAGE}
END = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": USAGE}}
EVENTS = as_events({"type": "message-start", "id": "co-1"}, END)
GIVEN: dict[str, Any] = {"model": "command-r", "messages": ASK}


def ask(client: Any) -> Any:
    return client.chat(**GIVEN, request_options={"max_retries": 0})


async def aask(client: Any) -> Any:
    return await client.chat(**GIVEN, request_options={"max_retries": 0})


def stream(client: Any) -> Any:
    return list(client.chat_stream(**GIVEN))


def stream_left(client: Any) -> Any:
    events = client.chat_stream(**GIVEN)
    first = next(events)
    events.close()
    return first


async def astream(client: Any) -> Any:
    return [event async for event in client.chat_stream(**GIVEN)]


async def astream_left(client: Any) -> Any:
    events = client.chat_stream(**GIVEN)
    first = await anext(events)
    await events.aclose()
    return first


RANKED = as_json({"id": "r", "results": [], "meta": {"billed_units": {"search_units": 1}}})
ANSWERS = {
    "plain": as_json(ANSWER),
    "refused": as_json({"message": "no key"}, 401),
    "unreachable": lost("ConnectError"),
    "timed out": lost("ReadTimeout"),
    "broken body": Answer(200, (b'{"id":',)),
}
STREAMS = {
    "": EVENTS,
    " cut": EVENTS._replace(pieces=EVENTS.pieces[:1], breaks="ReadError"),
    " refused": as_json({"message": "no key"}, 401),
    " unreachable": lost("ConnectError"),
}
STEPS: dict[str, Step] = {
    **{name: Step(ask, (answer,)) for name, answer in ANSWERS.items()},
    "retried": Step(
        lambda client: client.chat(**GIVEN, request_options={"max_retries": 1}),
        (as_json({"message": "too many"}, 429), as_json(ANSWER)),
    ),
    **{f"async {name}": Step(aask, (answer,)) for name, answer in ANSWERS.items()},
    "async cancelled": Step(aask, (never(),)),
    **{f"stream{name}": Step(stream, (answer,)) for name, answer in STREAMS.items()},
    **{f"async stream{name}": Step(astream, (answer,)) for name, answer in STREAMS.items()},
    "stream left": Step(stream_left, (EVENTS,)),
    "async stream left": Step(astream_left, (EVENTS,)),
    "rerank": Step(
        lambda client: client.rerank(model="rerank", query="a", documents=["b"]), (RANKED,)
    ),
}
PLAY = Play(
    OverHttp(
        "httpx",
        lambda http, _: cohere.ClientV2(api_key="k", httpx_client=http),
        lambda _, http: cohere.AsyncClientV2(api_key="k", httpx_client=http),
    ),
    STEPS,
)
