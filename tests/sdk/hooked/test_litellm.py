"""LiteLLM over an SDK or over plain HTTP is one row, read below it; made-up answers are none."""

from __future__ import annotations

import asyncio
import gc
import json
import time

import pytest

from anchor_autopatch import attribute
from anchor_autopatch.host.capture import identity

litellm = pytest.importorskip("litellm")

# LiteLLM warns while it works: TypedDict qualifiers, clients and tasks that outlive their loop.
pytestmark = pytest.mark.filterwarnings("ignore")
ASK = [{"role": "user", "content": "hello there"}]
ROUTES = {
    "openai": ("openai/gpt-4o", "litellm>openai", "openai.chat"),
    "anthropic": ("anthropic/claude-x", "litellm>httpx", "anthropic.messages"),
    "gemini": ("gemini/gemini-2.5-flash", "litellm>httpx", "gemini.generate_content"),
}
routes = pytest.mark.parametrize("route", ROUTES)


@pytest.fixture(autouse=True)
def _addresses(home, simulator, monkeypatch):
    for name, value in simulator.environment().items():
        if name != "ANCHOR_PROVIDER_HOSTS":
            monkeypatch.setenv(name, value)


def options(simulator, route, **more):
    base = {"openai": f"{simulator.openai}/v1", "anthropic": simulator.anthropic, "gemini": None}
    given = {"model": ROUTES[route][0], "messages": ASK, "api_base": base[route], **more}
    return {name: value for name, value in given.items() if value is not None}


def counts(usage):
    """Input and output tokens, as any of the three providers spells them."""
    read = usage.get("prompt_tokens", usage.get("input_tokens", usage.get("promptTokenCount")))
    made = usage.get("completion_tokens", usage.get("output_tokens"))
    return read, made if made is not None else usage["candidatesTokenCount"]


def tokens(receipt):
    return counts(json.loads(receipt.raw_usage))


def billed_tokens(simulator):
    (row,) = simulator.ledger()
    return counts(row["usage"])


@routes
def test_completion_is_one_row(simulator, one_receipt, route):
    litellm.completion(**options(simulator, route))

    receipt = one_receipt()
    assert (receipt.sdk, receipt.usage_shape) == ROUTES[route][1:]
    assert (receipt.provider, receipt.billable, receipt.attempts) == (route, 1, 1)
    assert tokens(receipt) == billed_tokens(simulator)


@routes
def test_acompletion_is_one_row(simulator, one_receipt, route):
    asyncio.run(litellm.acompletion(**options(simulator, route)))

    receipt = one_receipt()
    assert (receipt.sdk, receipt.provider) == (ROUTES[route][1], route)
    assert tokens(receipt) == billed_tokens(simulator)


@routes
def test_host_of_the_call_is_named(simulator, one_receipt, route):
    litellm.completion(**options(simulator, route))

    assert one_receipt().provider_host == getattr(simulator, route).removeprefix("http://")


@routes
@pytest.mark.parametrize("include_usage", [True, None])
def test_stream_is_one_row(simulator, one_receipt, route, include_usage):
    asked = {"stream_options": {"include_usage": True}} if include_usage else {}

    for _ in litellm.completion(**options(simulator, route, stream=True, **asked)):
        pass

    receipt = one_receipt()
    assert (receipt.stream, receipt.outcome, receipt.usage_source) == (1, "ok", "provider")
    assert tokens(receipt) == billed_tokens(simulator)


@routes
def test_async_stream_is_one_row(simulator, one_receipt, route):
    async def main():
        async for _ in await litellm.acompletion(**options(simulator, route, stream=True)):
            pass

    asyncio.run(main())

    assert one_receipt().sdk == ROUTES[route][1]
    assert tokens(one_receipt()) == billed_tokens(simulator)


@routes
def test_broken_off_stream_is_one_partial_row(simulator, receipts, route):
    stream = litellm.completion(**options(simulator, route, stream=True))
    next(stream)
    del stream
    until = time.monotonic() + 60
    while not receipts() and time.monotonic() < until:
        gc.collect()  # a thread of LiteLLM's may hold the stream a little longer

    assert [(receipt.outcome, receipt.billable) for receipt in receipts()] == [("partial", 1)]


def test_attribution_is_the_outermost(simulator, one_receipt):
    with attribute(team="search", user_id="u-1"):
        litellm.completion(**options(simulator, "openai"))

    receipt = one_receipt()
    assert (receipt.team, receipt.user_id) == ("search", "u-1")
    assert receipt.call_site.endswith(":test_attribution_is_the_outermost")


@routes
def test_mock_is_no_receipt(simulator, receipts, route):
    litellm.completion(**options(simulator, route, mock_response="made up"))

    assert (receipts(), simulator.requests()) == ([], [])


def test_mocked_stream_is_no_receipt(simulator, receipts):
    list(
        litellm.completion(**options(simulator, "anthropic", mock_response="made up", stream=True))
    )

    assert receipts() == []


def test_embedding_is_one_row(simulator, one_receipt):
    litellm.embedding(
        model="openai/text-embedding-3-small", input=["a"], api_base=f"{simulator.openai}/v1"
    )

    assert (one_receipt().operation, one_receipt().sdk) == ("embeddings", "litellm>openai")


def test_text_completion_is_one_row(simulator, one_receipt):
    litellm.text_completion(
        model="text-completion-openai/davinci-002", prompt="a", api_base=f"{simulator.openai}/v1"
    )

    assert one_receipt().sdk == "litellm>openai"


@routes
def test_batch_completion_is_a_row_each(simulator, receipts, route):
    asked = options(simulator, route)

    litellm.batch_completion(**{**asked, "messages": [ASK, ASK, ASK]})

    assert [receipt.sdk for receipt in receipts()] == [ROUTES[route][1]] * 3


def router(simulator, *routes, **more):
    listed = [
        {"model_name": "any", "litellm_params": options(simulator, route)} for route in routes
    ]
    for entry in listed:
        entry["litellm_params"].pop("messages")
    return litellm.Router(model_list=listed, **more)


def test_router_is_one_row(simulator, one_receipt):
    router(simulator, "openai").completion(model="any", messages=ASK)

    assert one_receipt().sdk == "litellm>openai"


def test_async_router_is_one_row(simulator, one_receipt):
    asyncio.run(router(simulator, "anthropic").acompletion(model="any", messages=ASK))

    assert (one_receipt().sdk, one_receipt().provider) == ("litellm>httpx", "anthropic")


def test_fallback_bills_only_what_answered(simulator, one_receipt, events):
    simulator.script(fail="server_error", provider="openai", times=None)

    litellm.completion(
        **options(simulator, "openai", max_retries=0, api_base=None),
        fallbacks=["anthropic/claude-x"],
    )

    assert one_receipt().provider == "anthropic"
    assert [event.event_class for event in events()] == ["provider_5xx"]


def test_retries_bill_only_what_answered(simulator, one_receipt):
    simulator.script(fail="server_error", times=1)

    litellm.completion(**options(simulator, "anthropic", num_retries=2))

    assert one_receipt().outcome == "ok"


@routes
@pytest.mark.parametrize(
    ("failure", "event_class"),
    [("rate_limit", "rate_limited"), ("server_error", "provider_5xx"), ("auth", "auth")],
)
def test_failure_is_one_event(simulator, receipts, one_event, route, failure, event_class):
    simulator.script(fail=failure, times=None)

    with pytest.raises(Exception):  # noqa: B017, PT011 - LiteLLM has one for each provider
        litellm.completion(**options(simulator, route, max_retries=0))

    event = one_event()
    assert (event.event_class, event.provider) == (event_class, route)
    assert receipts() == []


def test_same_answer_is_known_to_record(simulator, one_receipt):
    answer = litellm.completion(**options(simulator, "openai"))

    assert identity.receipt_of(answer) == one_receipt().receipt_id


def test_call_made_by_a_callback_is_a_call_of_its_own(simulator, receipts, monkeypatch):
    judged = []

    class Judge(litellm.integrations.custom_logger.CustomLogger):
        async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
            if not judged:
                judged.append(True)
                await litellm.acompletion(**options(simulator, "anthropic"))
                judged.append(True)

    async def main():
        monkeypatch.setattr(litellm, "callbacks", [Judge()])
        async for _ in await litellm.acompletion(**options(simulator, "anthropic", stream=True)):
            pass
        until = time.monotonic() + 60
        while len(judged) < 2 and time.monotonic() < until:
            await asyncio.sleep(0.02)

    asyncio.run(main())

    assert len(simulator.ledger()) == 2
    assert [receipt.sdk for receipt in receipts()] == ["litellm>httpx"] * 2
