"""A failing call leaves one event, and a receipt only where the provider may have billed it."""

from __future__ import annotations

import asyncio
import json as jsons
import socket

import pytest

from tests.sdk.cancelling import cancelled
from tests.sdk.raw.ways import KEY, every_way

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
STREAM = BODY | {"stream": True}


def url(simulator):
    return f"{simulator.openai}/v1/chat/completions"


@every_way
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(
    "refusal",
    [
        ("rate_limit", "rate_limited", 429),
        ("quota", "billing_exhausted", 429),
        ("auth", "auth", 401),
        ("server_error", "provider_5xx", 500),
        ("gateway_timeout", "timeout", 504),
    ],
)
def test_refused_call_is_an_event_without_a_receipt(
    way, simulator, receipts, one_event, refusal, streamed
):
    failure, event_class, status = refusal
    simulator.script(fail=failure)

    (way.stream if streamed else way.plain)(url(simulator), STREAM if streamed else BODY)

    event = one_event()
    assert (event.event_class, event.http_status, event.provider) == (event_class, status, "openai")
    assert (event.sdk, event.request_model, event.receipt_id) == (way.target, "gpt-4o", None)
    assert receipts() == []


@every_way
def test_error_text_of_the_provider_is_kept(way, simulator, one_event):
    simulator.script(fail="quota")

    way.plain(url(simulator), BODY)

    event = one_event()
    assert (event.code, event.exception_type) == ("insufficient_quota", "HTTPStatusError")
    assert event.message


@every_way
def test_timeout_after_sending_may_have_been_billed(way, simulator, one_receipt, one_event):
    simulator.script(fail="timeout")

    # aiohttp's is for all of it: a busy machine must get to send within it.
    with pytest.raises(Exception):  # noqa: B017, PT011 - each client has its own
        way.plain(url(simulator), BODY, timeout=0.5)

    event, receipt = one_event(), one_receipt()
    assert (event.event_class, event.receipt_id) == ("timeout", receipt.receipt_id)
    assert (receipt.outcome, receipt.usage_source) == ("error", "absent")


@every_way
def test_refused_connection_was_never_billed(way, receipts, one_event):
    with socket.socket() as unused:
        # Kept, so that nobody else gets it to listen there.
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

        with pytest.raises(Exception):  # noqa: B017, PT011 - each client has its own
            way.plain(f"http://127.0.0.1:{port}/v1/chat/completions", BODY)

    assert (one_event().event_class, receipts()) == ("network", [])


@every_way
def test_reset_before_the_answer_may_have_been_billed(way, simulator, one_receipt, one_event):
    simulator.script(fail="reset")

    with pytest.raises(Exception):  # noqa: B017, PT011 - each client has its own
        way.plain(url(simulator), BODY)

    assert (one_event().event_class, one_receipt().usage_source) == ("network", "absent")


@every_way
def test_plain_answer_that_breaks_may_have_been_billed(way, simulator, one_receipt, one_event):
    simulator.script(fail="break")

    with pytest.raises(Exception):  # noqa: B017, PT011 - each client has its own
        way.plain(url(simulator), BODY)

    assert one_event().receipt_id == one_receipt().receipt_id


@every_way
def test_redirect_that_is_not_followed_is_no_call(way, server, receipts, events):
    server.answer(b"", status=304, chunked=False)

    way.plain(f"{server.url}/v1/chat/completions", BODY)

    assert (receipts(), events()) == ([], [])


def test_attempts_of_a_retrying_session_are_counted(simulator, one_receipt, events):
    requests = pytest.importorskip("requests")
    urllib3 = pytest.importorskip("urllib3")
    simulator.script(fail="unavailable", times=2)
    retry = urllib3.Retry(3, status_forcelist=[503], allowed_methods=None, backoff_factor=0)

    with requests.Session() as session:
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
        session.post(url(simulator), json=BODY, headers=KEY, timeout=60)

    assert (one_receipt().attempts, one_receipt().sdk) == (3, "requests")
    told = [(event.event_class, event.attempts, event.retried) for event in events()]
    assert told == [("provider_overloaded", 1, 1), ("provider_overloaded", 2, 1)]


def test_retrying_pool_that_gives_up_tells_every_request_once(receipts, events):
    urllib3 = pytest.importorskip("urllib3")
    body = jsons.dumps(BODY).encode()

    retry = urllib3.Retry(connect=1, backoff_factor=0)
    with urllib3.PoolManager() as pool, pytest.raises(urllib3.exceptions.MaxRetryError):
        pool.request("POST", "http://127.0.0.1:9/v1/chat/completions", body=body, retries=retry)

    told = [(event.event_class, event.attempts, event.retried) for event in events()]
    assert told == [("network", 1, 1), ("network", 2, 0)]
    assert receipts() == []


def test_raise_for_status_of_an_aiohttp_session_is_one_event(simulator, one_event, receipts):
    aiohttp = pytest.importorskip("aiohttp")
    simulator.script(fail="rate_limit")

    async def run():
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            await session.post(url(simulator), json=BODY, headers=KEY)

    with pytest.raises(aiohttp.ClientResponseError):
        asyncio.run(run())
    assert (one_event().event_class, receipts()) == ("rate_limited", [])


@pytest.mark.parametrize("library", ["httpx", "httpx2", "aiohttp"])
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_cancelled_call_is_a_receipt_and_no_event(
    library, streamed, simulator, one_receipt, events
):
    module = pytest.importorskip(library)
    simulator.script(**({"chunk_delay": 0.05, "chunks": 600} if streamed else {"fail": "timeout"}))
    body = STREAM if streamed else BODY

    async def with_httpx():
        async with (
            module.AsyncClient() as client,
            client.stream("POST", url(simulator), json=body, headers=KEY) as response,
        ):
            return await response.aread()

    async def with_aiohttp():
        async with (
            module.ClientSession() as session,
            session.post(url(simulator), json=body, headers=KEY) as response,
        ):
            return await response.read()

    call = with_aiohttp() if library == "aiohttp" else with_httpx()
    asyncio.run(cancelled(call, simulator.requests))

    assert (one_receipt().outcome, events()) == ("cancelled", [])


def test_call_that_waited_for_a_connection_in_vain_was_never_billed(simulator, receipts, one_event):
    urllib3 = pytest.importorskip("urllib3")
    host, port = simulator.openai.removeprefix("http://").split(":")
    pool = urllib3.HTTPConnectionPool(host, int(port), maxsize=1, block=True)
    taken = pool.pool.get()

    with pytest.raises(urllib3.exceptions.EmptyPoolError):
        pool.urlopen("POST", "/v1/chat/completions", body=b"{}", retries=False, pool_timeout=0.01)

    pool.pool.put(taken)
    pool.close()
    assert (one_event().exception_type, receipts()) == ("EmptyPoolError", [])
