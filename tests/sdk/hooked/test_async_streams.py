"""Asynchronous streams: read, left, closed, cancelled; the loop shuts down in silence."""

from __future__ import annotations

import asyncio
import gc
import json

import anthropic
import openai
import pytest
from google import genai

from tests.sdk.cancelling import cancelled

ASK = [{"role": "user", "content": "hello there"}]
pytestmark = pytest.mark.filterwarnings(
    "ignore:Inheritance class AiohttpClientSession:DeprecationWarning"
)


class Openai:
    def __init__(self, simulator):
        self.client = openai.AsyncOpenAI(
            base_url=f"{simulator.openai}/v1", api_key="k", max_retries=0, timeout=60
        )

    async def start(self):
        return await self.client.chat.completions.create(model="m", messages=ASK, stream=True)

    async def aclose(self):
        await self.client.close()


class Responses(Openai):
    async def start(self):
        return await self.client.responses.create(model="m", input="hello", stream=True)


class Anthropic(Openai):
    def __init__(self, simulator):
        self.client = anthropic.AsyncAnthropic(
            base_url=simulator.anthropic, api_key="k", max_retries=0, timeout=60
        )

    async def start(self):
        return await self.client.messages.create(
            model="claude-x", max_tokens=50, messages=ASK, stream=True
        )


class Gemini(Openai):
    def __init__(self, simulator):
        options = genai.types.HttpOptions(base_url=simulator.gemini, timeout=60_000)
        self.client = genai.Client(api_key="k", http_options=options)

    async def start(self):
        return await self.client.aio.models.generate_content_stream(model="m", contents="hello")

    async def aclose(self):
        await self.client.aio.aclose()
        self.client.close()


SDKS = {"chat": Openai, "responses": Responses, "messages": Anthropic, "gemini": Gemini}
cases = pytest.mark.parametrize("kind", SDKS)
closable = pytest.mark.parametrize("kind", ["chat", "responses", "messages"])


@pytest.fixture
def run(home, simulator, kind):
    """Runs a coroutine function with the SDK of this case."""

    def run(scenario):
        async def main():
            # httpx2 itself complains of generators that a dropped stream leaves to the loop's end,
            # and the log would keep the stream alive with the traceback.
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            sdk = SDKS[kind](simulator)
            try:
                return await scenario(sdk)
            finally:
                await sdk.aclose()

        return asyncio.run(main())

    return run


@cases
def test_consumed_stream_carries_the_billed_usage(run, one_receipt, simulator):
    async def scenario(sdk):
        return [chunk async for chunk in await sdk.start()]

    assert run(scenario)

    receipt, (billed,) = one_receipt(), simulator.ledger()
    assert json.loads(receipt.raw_usage).items() >= billed["usage"].items()
    assert (receipt.outcome, receipt.stream, receipt.usage_source) == ("ok", 1, "provider")
    assert receipt.http_status == 200


@closable
def test_closed_stream_is_partial_at_once(run, receipts):
    async def scenario(sdk):
        stream = await sdk.start()
        await anext(aiter(stream))
        await stream.close()
        return [receipt.outcome for receipt in receipts()]

    assert run(scenario) == ["partial"]


@cases
def test_broken_off_stream_leaves_one_receipt(run, one_receipt, capfd):
    async def scenario(sdk):
        async for _ in await sdk.start():
            break

    run(scenario)
    gc.collect()

    assert one_receipt().outcome == "partial"
    assert capfd.readouterr() == ("", "")


@closable
def test_stream_never_started_leaves_one_receipt(run, one_receipt, capfd):
    async def scenario(sdk):
        await sdk.start()

    run(scenario)
    gc.collect()

    assert one_receipt().outcome == "partial"
    assert capfd.readouterr() == ("", "")


@cases
def test_stalled_stream_that_is_cancelled(run, simulator, one_receipt, events):
    simulator.script(fail={"kind": "stall", "after": 2, "seconds": 60})
    arrived = []

    async def read(sdk):
        async for chunk in await sdk.start():
            arrived.append(chunk)  # noqa: PERF401 - each at once: it never ends

    run(lambda sdk: cancelled(read(sdk), lambda: arrived))

    assert (one_receipt().outcome, events()) == ("cancelled", [])


@cases
def test_request_that_is_cancelled_may_have_been_billed(run, simulator, one_receipt, events):
    simulator.script(fail="timeout")

    async def read(sdk):
        return [chunk async for chunk in await sdk.start()]

    run(lambda sdk: cancelled(read(sdk), simulator.requests))

    assert (one_receipt().outcome, one_receipt().usage_source) == ("cancelled", "absent")
    assert events() == []


@cases
def test_stream_that_breaks_is_a_partial_receipt_and_event(run, simulator, one_receipt, one_event):
    simulator.script(fail="break@2")

    async def scenario(sdk):
        with pytest.raises(Exception):  # noqa: B017, PT011 - each SDK has its own
            [chunk async for chunk in await sdk.start()]

    run(scenario)

    assert (one_event().event_class, one_receipt().outcome) == ("partial_stream", "partial")


def test_message_stream_helper(home, simulator, one_receipt):
    async def main():
        sdk = Anthropic(simulator)
        async with sdk.client.messages.stream(
            model="claude-x", max_tokens=50, messages=ASK
        ) as stream:
            text = "".join([part async for part in stream.text_stream])
        await sdk.aclose()
        return text

    assert asyncio.run(main())
    assert json.loads(one_receipt().raw_usage)["output_tokens"] > 0


@pytest.mark.parametrize("helper", ["chat", "responses"])
def test_closed_openai_helper_ends_the_call_at_once(home, simulator, receipts, helper):
    async def main():
        sdk = Openai(simulator)
        manager = {
            "chat": lambda: sdk.client.chat.completions.stream(model="m", messages=ASK),
            "responses": lambda: sdk.client.responses.stream(model="m", input="hello"),
        }[helper]()
        async with manager as stream:
            await anext(aiter(stream))
        found = [receipt.outcome for receipt in receipts()]
        await sdk.aclose()
        return found

    assert asyncio.run(main()) == ["partial"]
