"""The Mistral SDK: chat plain and streamed, conversations, documents."""

from __future__ import annotations

from typing import Any

from mistralai.client import Mistral

from tests.sdk.transparency.answering import Answer, as_events, as_json, lost, never
from tests.sdk.transparency.performing import OverHttp, Play, Step
from tests.sdk.transparency.plays.openai_answers import ANSWER, ASK, CHUNKS, USAGE, chunk

GIVEN: dict[str, Any] = {"model": "mistral-small", "messages": ASK}
LAST = {**chunk(content=None, finish="stop"), "usage": USAGE}
EVENTS = (*CHUNKS[:2], LAST, "[DONE]")
REFUSED = as_json({"message": "too many"}, 429)


def ask(client: Any) -> Any:
    return client.chat.complete(**GIVEN)


async def aask(client: Any) -> Any:
    return await client.chat.complete_async(**GIVEN)


def stream(client: Any) -> Any:
    with client.chat.stream(**GIVEN) as events:
        return list(events)


def stream_left(client: Any) -> Any:
    with client.chat.stream(**GIVEN) as events:
        return next(iter(events))


async def astream(client: Any) -> Any:
    async with await client.chat.stream_async(**GIVEN) as events:
        return [event async for event in events]


async def astream_left(client: Any) -> Any:
    async with await client.chat.stream_async(**GIVEN) as events:
        return await anext(aiter(events))


DOCUMENT = {"type": "document_url", "document_url": "https://example.test/a.pdf"}
PAGES = as_json({"pages": [], "model": "ocr", "usage_info": {"pages_processed": 3}})
ANSWERS = {
    "plain": as_json(ANSWER),
    "refused": REFUSED,
    "unreachable": lost("ConnectError"),
    "timed out": lost("ReadTimeout"),
    "broken body": Answer(200, (b'{"id":',)),
}
STREAMS = {
    "": as_events(*EVENTS),
    " cut": as_events(*EVENTS[:2], breaks="ReadError"),
    " refused": REFUSED,
}
STEPS: dict[str, Step] = {
    **{name: Step(ask, (answer,)) for name, answer in ANSWERS.items()},
    **{f"async {name}": Step(aask, (answer,)) for name, answer in ANSWERS.items()},
    "async cancelled": Step(aask, (never(),)),
    **{f"stream{name}": Step(stream, (answer,)) for name, answer in STREAMS.items()},
    **{f"async stream{name}": Step(astream, (answer,)) for name, answer in STREAMS.items()},
    "stream left": Step(stream_left, (STREAMS[""],)),
    "async stream left": Step(astream_left, (STREAMS[""],)),
    "documents": Step(lambda client: client.ocr.process(model="ocr", document=DOCUMENT), (PAGES,)),
    "models": Step(lambda client: client.models.list(), (as_json({"object": "list", "data": []}),)),
}
PLAY = Play(
    OverHttp(
        "httpx2",
        *2 * (lambda http, later: Mistral(api_key="k", client=http, async_client=later),),
    ),
    STEPS,
)
