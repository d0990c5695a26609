"""What an application does by its own will, or has to expect, is no incident."""

from __future__ import annotations

import asyncio
import gc

import anthropic
import openai
import pytest

from tests.sdk.cancelling import cancelled

pytestmark = pytest.mark.filterwarnings("ignore")
ASK = [{"role": "user", "content": "hello there"}]


@pytest.fixture
def nobody_is_called(events, incidents):
    """Checks that nothing was an incident, whatever was counted."""

    def check(*classes):
        assert [event.event_class for event in events()] == list(classes)
        assert incidents() == []

    return check


STREAMS = {
    "openai": lambda clients: clients("openai_client").chat.completions.create(
        model="gpt-4o", messages=ASK, stream=True
    ),
    "anthropic": lambda clients: clients("anthropic_client").messages.create(
        model="c", max_tokens=9, messages=ASK, stream=True
    ),
    "gemini": lambda clients: clients("gemini_client").models.generate_content_stream(
        model="gemini-2.5-flash", contents="hello"
    ),
}
streams = pytest.mark.parametrize("start", STREAMS.values(), ids=STREAMS)


@streams
def test_stream_that_the_application_closes(request, simulator, nobody_is_called, start):
    simulator.script(chunks=6)
    stream = start(request.getfixturevalue)

    next(iter(stream))
    getattr(stream, "close", lambda: None)()
    del stream
    gc.collect()

    nobody_is_called()


@streams
def test_stream_that_the_application_forgets(request, simulator, nobody_is_called, start):
    simulator.script(chunks=6)
    stream = start(request.getfixturevalue)

    for _ in stream:
        break
    del stream
    gc.collect()

    nobody_is_called()


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_task_that_is_cancelled(simulator, nobody_is_called, sdk, stream):
    simulator.script(fail={"kind": "stall", "after": 1, "seconds": 60}, chunks=4)

    async def call():
        if sdk == "openai":
            client = openai.AsyncOpenAI(base_url=f"{simulator.openai}/v1", api_key="k")
            async with client:
                answer = await client.chat.completions.create(
                    model="gpt-4o", messages=ASK, stream=stream
                )
                return [chunk async for chunk in answer] if stream else answer
        async with anthropic.AsyncAnthropic(base_url=simulator.anthropic, api_key="k") as client:
            answer = await client.messages.create(
                model="c", max_tokens=9, messages=ASK, stream=stream
            )
            return [event async for event in answer] if stream else answer

    # The provider has the request: what follows is the application's will alone.
    asyncio.run(cancelled(call(), simulator.requests))

    nobody_is_called()


def test_filtered_answer_is_an_answer(openai_client, gemini_client, simulator, nobody_is_called):
    simulator.script(fail="filtered", times=None)

    openai_client.chat.completions.create(model="gpt-4o", messages=ASK)
    openai_client.responses.create(model="gpt-4o", input="hello")
    gemini_client.models.generate_content(model="gemini-2.5-flash", contents="hello")

    nobody_is_called()


def test_filtered_answer_that_does_not_parse_is_counted(openai_client, simulator, nobody_is_called):
    from pydantic import BaseModel

    class Point(BaseModel):
        x: int

    simulator.script(fail="filtered")

    with pytest.raises(openai.ContentFilterFinishReasonError):
        openai_client.chat.completions.parse(model="m", messages=ASK, response_format=Point)

    nobody_is_called("content_filter")


@pytest.mark.parametrize(
    ("failure", "event_class"),
    [
        ("bad_request", "bad_request"),
        ("conflict", "bad_request"),
        ("unprocessable", "bad_request"),
        ("content_filter", "content_filter"),
        ("context_length", "context_length"),
    ],
)
def test_expected_refusals_now_and_then(
    openai_client, simulator, nobody_is_called, failure, event_class
):
    for _ in range(4):
        simulator.script(fail=failure)
        with pytest.raises(openai.APIStatusError):
            openai_client.chat.completions.create(model="gpt-4o", messages=ASK)
        openai_client.chat.completions.create(model="gpt-4o", messages=ASK)

    nobody_is_called(*[event_class] * 4)


def test_missing_object_that_is_asked_for_by_its_id(openai_client, simulator, nobody_is_called):
    with pytest.raises(openai.NotFoundError):
        openai_client.responses.retrieve("resp_nobody_knows")

    nobody_is_called("bad_request")
