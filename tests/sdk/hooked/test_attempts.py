"""Every failed request inside one SDK call is one event; the call itself stays one receipt."""

from __future__ import annotations

import asyncio
import json

import anthropic
import openai
import pytest
from google import genai

from tests.host.support import bytes_of

# Google's client derives its session from aiohttp's, which aiohttp warns of.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")
ASK = [{"role": "user", "content": "hello there"}]
AGAIN = {"retry-after-ms": "1"}
RETRIES = 2


def failure(kind, **more):
    """A failure after which the SDKs wait a millisecond, not half a second."""
    return {"kind": kind, "headers": AGAIN, **more}


def of_openai(simulator, **options):
    given = {"base_url": f"{simulator.openai}/v1", "api_key": "k", "max_retries": RETRIES}
    return given | options


def of_anthropic(simulator, **options):
    return {"base_url": simulator.anthropic, "api_key": "k", "max_retries": RETRIES} | options


def of_gemini(simulator, *, attempts=RETRIES + 1, base_url=None, timeout=60_000):
    retry = genai.types.HttpRetryOptions(
        attempts=attempts, initial_delay=0.001, max_delay=0.001, jitter=0.0
    )
    options = {"base_url": base_url or simulator.gemini, "retry_options": retry, "timeout": timeout}
    return {"api_key": "k", "http_options": options}


def call_openai(simulator, *, stream=False, **options):
    with openai.OpenAI(**of_openai(simulator, **options)) as client:
        answer = client.chat.completions.create(model="gpt-4o", messages=ASK, stream=stream)
        return list(answer) if stream else answer


def call_anthropic(simulator, *, stream=False, **options):
    with anthropic.Anthropic(**of_anthropic(simulator, **options)) as client:
        answer = client.messages.create(model="c", max_tokens=9, messages=ASK, stream=stream)
        return list(answer) if stream else answer


def call_gemini(simulator, *, stream=False, **options):
    with genai.Client(**of_gemini(simulator, **options)) as client:
        if stream:
            return list(client.models.generate_content_stream(model="g", contents="hello"))
        return client.models.generate_content(model="g", contents="hello")


def acall_openai(simulator, *, stream=False, **options):
    async def main():
        async with openai.AsyncOpenAI(**of_openai(simulator, **options)) as client:
            answer = await client.chat.completions.create(
                model="gpt-4o", messages=ASK, stream=stream
            )
            return [chunk async for chunk in answer] if stream else answer

    return asyncio.run(main())


def acall_anthropic(simulator, *, stream=False, **options):
    async def main():
        async with anthropic.AsyncAnthropic(**of_anthropic(simulator, **options)) as client:
            answer = await client.messages.create(
                model="c", max_tokens=9, messages=ASK, stream=stream
            )
            return [event async for event in answer] if stream else answer

    return asyncio.run(main())


def acall_gemini(simulator, *, stream=False, **options):
    async def main():
        client = genai.Client(**of_gemini(simulator, **options))
        try:
            if stream:
                chunks = await client.aio.models.generate_content_stream(model="g", contents="hi")
                return [chunk async for chunk in chunks]
            return await client.aio.models.generate_content(model="g", contents="hello")
        finally:
            await client.aio.aclose()

    return asyncio.run(main())


CALLS = {
    "openai": call_openai,
    "anthropic": call_anthropic,
    "gemini": call_gemini,
    "async-openai": acall_openai,
    "async-anthropic": acall_anthropic,
    "async-gemini": acall_gemini,
}
calls = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
streamed = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])


@pytest.fixture(autouse=True)
def _no_waiting(home, simulator, monkeypatch):
    """A lost connection carries no header that could shorten the wait."""
    for sdk in (openai, anthropic):
        monkeypatch.setattr(sdk._base_client, "INITIAL_RETRY_DELAY", 0.001)
    # google-genai 1 waits 1 s and up to 9 more before it sends over aiohttp again.
    monkeypatch.setattr("random.randint", lambda low, _high: low)


@calls
@streamed
def test_requests_that_were_sent_again_are_an_event_each(
    call, stream, simulator, one_receipt, events
):
    simulator.script(fail=failure("unavailable"), times=RETRIES)

    call(simulator, stream=stream)

    found = [(event.event_class, event.http_status, event.attempts) for event in events()]
    assert found == [("provider_overloaded", 503, 1), ("provider_overloaded", 503, 2)]
    assert {(event.retried, event.receipt_id) for event in events()} == {(1, None)}
    assert (one_receipt().attempts, one_receipt().outcome) == (RETRIES + 1, "ok")


@calls
def test_call_that_fails_for_good_tells_every_request_once(call, simulator, receipts, events):
    simulator.script(fail=failure("server_error"), times=None)

    with pytest.raises(Exception):  # noqa: B017, PT011 - each SDK has its own
        call(simulator)

    assert [(event.attempts, event.retried) for event in events()] == [(1, 1), (2, 1), (3, 0)]
    assert {event.event_class for event in events()} == {"provider_5xx"}
    assert len({event.exception_type for event in events()}) == 1
    assert receipts() == []


RESET = ("reset", {}, "network")
# Google's synchronous client sends again after a timeout, but not after a lost connection.
# Its second request has to be answered within the same time, on a busy machine too.
LOST = {"call_gemini": ({"kind": "timeout"}, {"timeout": 2000}, "timeout")}


@calls
def test_unanswered_request_names_the_receipt_of_its_call(call, simulator, one_receipt, one_event):
    lost, options, event_class = LOST.get(call.__name__, RESET)
    simulator.script(fail=lost, times=1)

    call(simulator, **options)

    event, receipt = one_event(), one_receipt()
    assert (event.event_class, event.attempts, event.retried) == (event_class, 1, 1)
    assert event.receipt_id == receipt.receipt_id
    assert json.loads(receipt.price_facts)["unanswered_attempts"] == 1
    assert (receipt.attempts, receipt.usage_source) == (2, "provider")


def test_call_refused_after_an_unanswered_request_may_be_billed(simulator, one_receipt, events):
    simulator.script(fail="reset", times=1)
    simulator.script(fail="auth", times=1)

    with pytest.raises(openai.AuthenticationError):
        call_openai(simulator)

    assert [event.receipt_id for event in events()] == [one_receipt().receipt_id] * 2
    assert (one_receipt().usage_source, one_receipt().outcome) == ("absent", "error")


@calls
def test_requests_that_never_left_cost_nothing(call, receipts, events, simulator):
    with pytest.raises(Exception):  # noqa: B017, PT011 - each SDK has its own
        call(simulator, base_url="http://127.0.0.1:9/v1")

    # Over aiohttp google-genai 1 sends once again, whatever its retry options say.
    again = 1 if call is acall_gemini and genai.__version__.startswith("1.") else RETRIES
    assert [(event.event_class, event.retried) for event in events()] == [
        *[("network", 1)] * again,
        ("network", 0),
    ]
    assert receipts() == []


def test_code_of_a_refused_request_is_kept(simulator, one_receipt, one_event):
    simulator.script(fail=failure("quota"), times=1)

    call_openai(simulator)

    assert (one_event().event_class, one_event().code) == (
        "billing_exhausted",
        "insufficient_quota",
    )
    assert one_event().exception_type == "RateLimitError"


def test_failed_requests_of_a_free_call_are_told_without_a_receipt(simulator, receipts, events):
    simulator.script(fail=failure("unavailable"), times=1)

    with openai.OpenAI(**of_openai(simulator)) as client:
        client.models.list()

    assert [(event.event_class, event.retried) for event in events()] == [
        ("provider_overloaded", 1)
    ]
    assert receipts() == []


def test_error_that_the_application_handles_is_no_attempt(simulator, one_receipt, events):
    simulator.script(fail=failure("unavailable"), times=1)

    try:
        {}["the application's own"]
    except LookupError:
        call_openai(simulator)

    assert [event.exception_type for event in events()] == ["InternalServerError"]
    assert one_receipt().attempts == 2


def test_no_text_of_a_retried_request_holds_a_secret(simulator, home, one_event):
    body = {"error": {"message": "wrong key sk-CANARYkey1234567890", "code": "server_error"}}
    simulator.script(fail=failure("custom", status=500, body=body), times=1)

    call_openai(simulator)

    assert one_event().message
    assert b"CANARY" not in bytes_of(home)
