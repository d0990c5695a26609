"""A failed call leaves one event of the right class; a receipt only if it may be billed."""

from __future__ import annotations

import contextlib
import signal
import threading
import time

import openai
import pytest
from pydantic import BaseModel

from tests.host.support import bytes_of, read_outboxes

ASK = [{"role": "user", "content": "hello there"}]
CLIENTS = {"openai": "openai_client", "anthropic": "anthropic_client", "gemini": "gemini_client"}
CALLS = {
    "openai": lambda c, ask=ASK: c.chat.completions.create(model="gpt-4o", messages=ask),
    "anthropic": lambda c, ask=ASK: c.messages.create(model="c", max_tokens=9, messages=ask),
    "gemini": lambda c, ask=ASK: c.models.generate_content(model="g", contents=ask[0]["content"]),
}
# failure -> event class and HTTP status, by provider in the order of CALLS.
CLASSES = {
    "rate_limit": [("rate_limited", 429)] * 3,
    "quota": [("billing_exhausted", 429), ("billing_exhausted", 400), ("rate_limited", 429)],
    "credit_exhausted": [("billing_exhausted", 429), *[("billing_exhausted", 402)] * 2],
    "spend_limit": [("billing_exhausted", 429)] * 2 + [("rate_limited", 429)],
    "payment_required": [("billing_exhausted", 402)] * 3,
    "quota_daily": [("rate_limited", 429)] * 2 + [("quota_daily", 429)],
    "server_error": [("provider_5xx", 500)] * 3,
    "bad_gateway": [("provider_5xx", 502)] * 2 + [("provider_overloaded", 502)],
    "unavailable": [("provider_overloaded", 503)] * 3,
    "gateway_timeout": [("timeout", 504)] * 3,
    "overloaded": [("provider_overloaded", 529)] * 2 + [("provider_overloaded", 503)],
    "auth": [("auth", 401)] * 2 + [("auth", 400)],
    "permission": [("auth", 403)] * 3,
    "model_not_found": [("model_gone", 404)] * 3,
    "context_length": [("context_length", 400)] * 3,
    "bad_request": [("bad_request", 400)] * 3,
    "conflict": [("bad_request", 409)] * 3,
    "too_large": [("context_length", 413)] * 3,
    "unprocessable": [("bad_request", 422)] * 3,
    "request_timeout": [("timeout", 408)] * 3,
}
refusals = pytest.mark.parametrize(
    ("failure", "provider", "expected"),
    [
        pytest.param(failure, provider, expected, id=f"{failure}-{provider}")
        for failure, row in CLASSES.items()
        for provider, expected in zip(CALLS, row, strict=True)
    ],
)
providers = pytest.mark.parametrize("provider", CALLS)


@pytest.fixture
def call(request, provider, simulator):
    """Makes a call that is to fail, and returns its exception."""
    client = request.getfixturevalue(CLIENTS[provider])

    def call(failure, ask=ASK):
        simulator.script(fail=failure)
        with pytest.raises(Exception) as caught:  # noqa: PT011 - each SDK has its own
            CALLS[provider](client, ask)
        return caught.value

    return call


@refusals
def test_refusal_is_one_event_of_its_class(call, failure, provider, expected, one_event, receipts):
    error = call(failure)

    event = one_event()
    assert (event.event_class, event.http_status) == expected
    assert (event.provider, event.exception_type) == (provider, type(error).__name__)
    assert receipts() == []


@providers
@pytest.mark.parametrize(("failure", "event_class"), [("reset", "network"), ("close", "network")])
def test_lost_connection_may_have_been_billed(call, failure, event_class, one_event, one_receipt):
    call(failure)

    assert one_event().event_class == event_class
    assert one_event().receipt_id == one_receipt().receipt_id
    assert (one_receipt().usage_source, one_receipt().outcome) == ("absent", "error")


def test_timeout_may_have_been_billed(openai_client, simulator, one_event, one_receipt):
    simulator.script(fail={"kind": "timeout", "billed": True})

    with pytest.raises(openai.APITimeoutError):
        CALLS["openai"](openai_client.with_options(timeout=0.2))

    assert one_event().event_class == "timeout"
    assert (one_receipt().usage_source, one_receipt().billable) == ("absent", 1)


def test_refused_connection_was_never_billed(openai_client, one_event, receipts):
    with pytest.raises(openai.APIConnectionError):
        CALLS["openai"](openai_client.with_options(base_url="http://127.0.0.1:9/v1"))

    assert (one_event().event_class, receipts()) == ("network", [])


@providers
@pytest.mark.parametrize("failure", ["malformed_json", "empty_body"])
def test_unreadable_answer_was_billed(request, simulator, receipts, events, failure, provider):
    simulator.script(fail=failure)

    with contextlib.suppress(Exception):
        CALLS[provider](request.getfixturevalue(CLIENTS[provider]))

    (receipt,) = receipts()
    assert (receipt.usage_source, receipt.http_status, receipt.billable) == ("absent", 200, 1)
    assert "internal" not in [event.event_class for event in events()]


def test_answer_that_does_not_parse_was_billed(openai_client, simulator, one_receipt, one_event):
    class Point(BaseModel):
        x: int

    simulator.script(text='{"x": "CANARY-completion"}')

    with pytest.raises(ValueError, match="CANARY-completion"):
        openai_client.chat.completions.parse(model="m", messages=ASK, response_format=Point)

    receipt = one_receipt()
    assert (receipt.usage_source, receipt.outcome) == ("provider", "error")
    assert one_event().receipt_id == receipt.receipt_id


def test_error_event_before_any_content_keeps_its_class(anthropic_client, simulator, one_event):
    simulator.script(fail="error_event@0")

    with pytest.raises(Exception, match="overloaded"):
        list(
            anthropic_client.messages.create(
                model="c", max_tokens=9, messages=ASK, stream=True
            )
        )  # fmt: skip

    assert one_event().event_class in ("provider_overloaded", "partial_stream")


def test_interrupted_request_is_the_users_will(openai_client, simulator, one_receipt, events):
    def interrupt(*_):
        raise KeyboardInterrupt

    def interrupt_once_asked():
        while not simulator.requests():
            time.sleep(0.01)
        signal.pthread_kill(caller, signal.SIGALRM)

    simulator.script(fail="timeout")
    caller, asked = threading.get_ident(), threading.Thread(target=interrupt_once_asked)
    old = signal.signal(signal.SIGALRM, interrupt)

    try:
        asked.start()
        with pytest.raises(KeyboardInterrupt):
            CALLS["openai"](openai_client)
    finally:
        asked.join()
        signal.signal(signal.SIGALRM, old)

    assert (one_receipt().outcome, events()) == ("cancelled", [])


CANARY = "CANARYprompt"
KEY = "sk-CANARYkey1234567890"


@pytest.fixture
def secretive(simulator, home):
    """Clients whose keys, headers, addresses and prompts all hold a canary."""
    import anthropic
    from google import genai

    headers = {"x-secret": "CANARYheader"}
    url = simulator.openai.replace("http://", "http://CANARYuser:CANARYpass@")
    gemini = genai.types.HttpOptions(base_url=simulator.gemini, timeout=60_000, headers=headers)
    with (
        openai.OpenAI(
            base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=60, default_headers=headers,
            default_query={"CANARYquery": "1"}, organization="CANARYorg",
        ) as one,
        anthropic.Anthropic(
            base_url=simulator.anthropic, api_key=KEY, max_retries=0, default_headers=headers
        ) as two,
        genai.Client(api_key=KEY, http_options=gemini) as three,
    ):  # fmt: skip
        yield {"openai": one, "anthropic": two, "gemini": three}


@providers
@pytest.mark.parametrize(
    "failure", [None, *CLASSES, "malformed_json", "reset", "empty_body", "no_usage", "truncate"]
)
def test_no_secret_and_no_prompt_is_ever_stored(secretive, simulator, home, provider, failure):
    if failure:
        simulator.script(fail=failure, text="CANARYcompletion")

    with contextlib.suppress(Exception):
        CALLS[provider](secretive[provider], [{"role": "user", "content": CANARY}])

    assert any(read_outboxes(home))
    assert b"CANARY" not in bytes_of(home)


@pytest.mark.parametrize("kind", ["chat", "messages", "gemini"])
@pytest.mark.parametrize("failure", ["malformed_chunk@1", "error_event@1", "break@1", "truncate@1"])
def test_no_completion_of_a_broken_stream_is_stored(
    secretive, simulator, home, kind, failure, receipts
):
    simulator.script(fail=failure, text="CANARYcompletion is long enough", chunks=4)
    ask = [{"role": "user", "content": CANARY}]
    start = {
        "chat": lambda c: c["openai"].chat.completions.create(model="m", messages=ask, stream=True),
        "messages": lambda c: c["anthropic"].messages.create(
            model="m", max_tokens=9, messages=ask, stream=True
        ),
        "gemini": lambda c: c["gemini"].models.generate_content_stream(model="m", contents=CANARY),
    }[kind]

    with contextlib.suppress(Exception):
        list(start(secretive))

    assert len(receipts()) == 1
    assert b"CANARY" not in bytes_of(home)


def test_reading_a_lost_connection_warns_nobody():
    from websockets import exceptions, frames

    from anchor_autopatch.host import failures

    # Its `code` is deprecated; under this suite's settings a warning would be an error.
    failure = failures.read(exceptions.ConnectionClosedError(frames.Close(1011, "bye"), None))

    assert (failure.exception_type, failure.http_status) == ("ConnectionClosedError", None)
