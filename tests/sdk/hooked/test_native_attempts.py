"""Failed requests inside one call of the SDKs that retry in ways of their own."""

from __future__ import annotations

import asyncio
import importlib
import json
from types import SimpleNamespace

import pytest

from tests.sdk.hooked import tapes
from tests.sdk.hooked.test_bedrock import CONVERSED
from tests.sdk.hooked.test_bedrock import TURN as BEDROCK_TURN
from tests.sdk.hooked.test_native_sdks import COHERE, COMPLETION, TURN

COHERE_ANSWER = {
    "id": "co-1",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
    "usage": COHERE,
}


def transport(library, failures, answer):
    return tapes.failing_transport(library, *failures, answer=answer)


def call_cohere(*failures):
    import cohere
    import httpx

    client = httpx.Client(transport=transport("httpx", failures, COHERE_ANSWER))
    cohere.ClientV2(api_key="k", httpx_client=client).chat(model="command-r", messages=TURN)


def acall_cohere(*failures):
    import cohere
    import httpx

    client = httpx.AsyncClient(transport=transport("httpx", failures, COHERE_ANSWER))
    waiting = cohere.AsyncClientV2(api_key="k", httpx_client=client)
    asyncio.run(waiting.chat(model="command-r", messages=TURN))


def mistral(failures):
    from mistralai.client import Mistral
    from mistralai.client.utils import BackoffStrategy, RetryConfig

    library = importlib.import_module("httpx2")
    tape = transport("httpx2", failures, COMPLETION)
    backoff = BackoffStrategy(1, 1, 1, 60_000, jitter_ms=0)
    return Mistral(
        api_key="k",
        client=library.Client(transport=tape),
        async_client=library.AsyncClient(transport=tape),
        retry_config=RetryConfig("backoff", backoff, True),
    )


def call_mistral(*failures):
    mistral(failures).chat.complete(model="mistral-small", messages=TURN)


def acall_mistral(*failures):
    asyncio.run(
        mistral(failures).chat.complete_async(model="mistral-small", messages=TURN)
    )  # fmt: skip


def call_groq(*failures):
    import groq
    import httpx

    client = httpx.Client(transport=transport("httpx", failures, COMPLETION))
    groq.Groq(api_key="k", http_client=client).chat.completions.create(model="l", messages=TURN)


def call_bedrock(*failures):
    client = tapes.bedrock(json.dumps(CONVERSED).encode(), fail=failures, tries=3)
    client.converse(modelId="amazon.nova-lite-v1:0", messages=BEDROCK_TURN)


CALLS = {
    "cohere": call_cohere,
    "async-cohere": acall_cohere,
    "mistral": call_mistral,
    "async-mistral": acall_mistral,
    "groq": call_groq,
    "bedrock": call_bedrock,
}
calls = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@pytest.fixture(autouse=True)
def _no_waiting(home, monkeypatch):
    import botocore.endpoint
    import cohere.core.http_client
    import groq

    monkeypatch.setattr(groq._base_client, "INITIAL_RETRY_DELAY", 0.001)
    monkeypatch.setattr(cohere.core.http_client, "INITIAL_RETRY_DELAY_SECONDS", 0.001)
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _seconds: None))


def told(events):
    return [(event.event_class, event.http_status, event.attempts) for event in events()]


@calls
def test_refused_requests_are_an_event_each(call, one_receipt, events):
    call(429, 503)

    second = "rate_limited" if call is call_bedrock else "provider_overloaded"
    assert told(events) == [("rate_limited", 429, 1), (second, 503, 2)]
    assert {(event.retried, event.receipt_id) for event in events()} == {(1, None)}
    assert (one_receipt().attempts, one_receipt().usage_source) == (3, "provider")


@calls
def test_call_refused_for_good_tells_every_request_once(call, receipts, events):
    with pytest.raises(Exception):  # noqa: B017, PT011 - each SDK has its own
        call(*[429] * 3, 401)

    numbers = [(event.attempts, event.retried) for event in events()]
    assert numbers[:2] == [(1, 1), (2, 1)]
    assert [retried for _, retried in numbers] == [1] * (len(numbers) - 1) + [0]
    assert [number for number, _ in numbers] == list(range(1, len(numbers) + 1))
    assert receipts() == []


@pytest.mark.parametrize(
    ("call", "lost"),
    [
        (call_mistral, "ReadTimeout"),
        (acall_mistral, "ReadTimeout"),
        (call_groq, "ReadTimeout"),
        (call_cohere, None),
        (call_bedrock, None),
    ],
)
def test_lost_request_says_whether_it_may_have_been_billed(call, lost, one_receipt, one_event):
    call(lost or unconnected(call))

    if lost:
        assert (one_event().event_class, one_event().receipt_id) == (
            "timeout",
            one_receipt().receipt_id,
        )
        assert json.loads(one_receipt().price_facts)["unanswered_attempts"] == 1
    else:
        assert (one_event().event_class, one_event().receipt_id) == ("network", None)
    assert (one_event().retried, one_receipt().attempts) == (1, 2)


def unconnected(call):
    """What this SDK's client raises when nobody listens."""
    if call is not call_bedrock:
        return "ConnectError"
    from botocore.exceptions import EndpointConnectionError

    return EndpointConnectionError(endpoint_url="http://127.0.0.1:9", error="refused")
