"""A partner's web service that fails leaves one event a failure, whichever client asked it."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3

from tests.frameworks.depending import closed_port, partner
from tests.host.fixtures import one_event

__all__ = ["one_event"]

pytestmark = pytest.mark.usefixtures("home")

log = logging.getLogger("shop.partner")
SECRET = "/order/4711?token=t0psecret"
FAULTS = (
    OSError,
    ValueError,
    aiohttp.ClientError,
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    urllib3.exceptions.HTTPError,
)


@pytest.fixture(scope="module")
def service():
    with partner() as started:
        yield started


def by_requests(url, timeout=30):
    return requests.get(url, timeout=timeout).status_code


def by_urllib3(url, timeout=30):
    with urllib3.PoolManager() as pool:
        return pool.request("GET", url, timeout=timeout, retries=False).status


def by_httpx(url, timeout=30):
    with httpx.Client() as client:
        return client.get(url, timeout=timeout).status_code


def by_httpx2(url, timeout=30):
    with httpx2.Client() as client:
        return client.get(url, timeout=timeout).status_code


def by_async_httpx(url, timeout=30):
    async def ask():
        async with httpx.AsyncClient() as client:
            return (await client.get(url, timeout=timeout)).status_code

    return asyncio.run(ask())


def by_aiohttp(url, timeout=30):
    async def ask():
        limit = aiohttp.ClientTimeout(total=timeout)
        async with aiohttp.ClientSession(timeout=limit) as session, session.get(url) as answer:
            return answer.status

    return asyncio.run(ask())


CLIENTS = [by_requests, by_urllib3, by_httpx, by_httpx2, by_async_httpx, by_aiohttp]
each_client = pytest.mark.parametrize("ask", CLIENTS)


@each_client
def test_server_error_is_one_event(service, one_event, ask):
    assert ask(f"{service.url}/503{SECRET}") == 503

    event = one_event()
    assert (event.event_class, event.dependency, event.http_status, event.provider) == (
        "dependency_error",
        service.host,
        503,
        None,
    )
    assert event.call_site is None or "test_http_dependencies" in event.call_site


@each_client
def test_refused_connection_is_one_event(one_event, ask):
    port = closed_port()

    with pytest.raises(FAULTS):
        ask(f"http://127.0.0.1:{port}{SECRET}")

    event = one_event()
    assert (event.event_class, event.dependency) == ("network", f"127.0.0.1:{port}")
    # anyio tries several addresses, and says only that all failed.
    assert event.code == (None if ask is by_async_httpx else "ECONNREFUSED")


@each_client
def test_broken_connection_is_one_event(service, one_event, ask):
    with pytest.raises(FAULTS):
        ask(f"{service.url}/reset{SECRET}")

    assert (one_event().event_class, one_event().dependency) == ("network", service.host)


@each_client
def test_silence_is_a_timeout(service, one_event, ask):
    with pytest.raises(FAULTS):
        ask(f"{service.url}/silent{SECRET}", timeout=0.1)

    assert (one_event().event_class, one_event().dependency) == ("timeout", service.host)


@each_client
def test_too_many_requests_are_told_as_that(service, one_event, ask):
    ask(f"{service.url}/429{SECRET}")

    assert (one_event().event_class, one_event().http_status) == ("rate_limited", 429)


@each_client
@pytest.mark.parametrize("status", [200, 304, 400, 401, 404, 409, 422])
def test_answers_that_are_no_failure_leave_nothing(service, events, ask, status):
    ask(f"{service.url}/{status}{SECRET}")

    assert events() == []


@each_client
def test_event_holds_nothing_of_what_was_asked(service, one_event, ask):
    ask(
        f"{service.url}/500{SECRET}".replace("://", "://user:pass@")
        if ask is not by_urllib3
        else f"{service.url}/500{SECRET}"
    )

    assert not any(word in str(one_event()) for word in ("4711", "t0psecret", "order", "pass@"))


def raise_by_requests(url):
    requests.get(url, timeout=30).raise_for_status()


def raise_by_httpx(url):
    httpx.get(url).raise_for_status()


def raise_by_aiohttp(url):
    async def ask():
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            answer.raise_for_status()

    asyncio.run(ask())


def raise_within_aiohttp(url):
    async def ask():
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            await session.get(url)

    asyncio.run(ask())


@pytest.mark.parametrize(
    "ask", [raise_by_requests, raise_by_httpx, raise_by_aiohttp, raise_within_aiohttp]
)
def test_exception_made_of_the_answer_and_logged_is_the_same_failure(service, one_event, ask):
    try:
        ask(f"{service.url}/502{SECRET}")
    except Exception:
        log.exception("the partner is down")

    assert (one_event().event_class, one_event().http_status) == ("dependency_error", 502)


@each_client
def test_exception_that_is_logged_and_raised_on_is_one_event(events, ask):
    class OrderError(Exception):
        pass

    def order():
        try:
            ask(f"http://127.0.0.1:{closed_port()}{SECRET}")
        except Exception as error:
            log.exception("no partner")
            raise OrderError from error

    try:
        order()
    except OrderError:
        log.exception("no order")

    assert [event.event_class for event in events()] == ["network"]


def test_failures_in_a_row_are_counted_each(service, events):
    for _ in range(4):
        by_requests(f"{service.url}/500/x")

    assert len(events()) == 4


def test_retry_that_succeeds_is_no_failure(service, events):
    service.plan[:] = [503, 503]
    session = requests.Session()
    retries = urllib3.Retry(3, status_forcelist=[503], backoff_factor=0)
    session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retries))

    assert session.get(f"{service.url}/200/x").status_code == 200
    assert events() == []


def test_retries_that_are_used_up_are_one_failure(service, one_event):
    session = requests.Session()
    retries = urllib3.Retry(3, status_forcelist=[503], backoff_factor=0)
    session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retries))

    with pytest.raises(requests.exceptions.RetryError):
        session.get(f"{service.url}/503/x")

    assert one_event().event_class == "dependency_error"


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "http://", "http://[::1"])
@pytest.mark.parametrize("ask", [by_requests, by_httpx, by_httpx2, by_aiohttp, by_urllib3])
def test_requests_that_cannot_be_sent_are_the_applications_own(events, ask, url):
    with pytest.raises(FAULTS):
        ask(url)

    assert events() == []


def test_cancelled_request_is_no_failure(service, events):
    async def ask():
        async with httpx.AsyncClient() as client:
            await asyncio.wait_for(client.get(f"{service.url}/silent", timeout=60), 0.1)

    async def ask_by_aiohttp():
        async with aiohttp.ClientSession() as session:
            await asyncio.wait_for(session.get(f"{service.url}/silent"), 0.1)

    for cancelled in (ask, ask_by_aiohttp):
        with pytest.raises(TimeoutError):
            asyncio.run(cancelled())

    assert events() == []


def test_stream_that_the_application_closes_is_no_failure(service, events):
    with requests.get(f"{service.url}/200", stream=True, timeout=30):
        pass
    with httpx.stream("GET", f"{service.url}/200"):
        pass

    assert events() == []


def test_fallback_to_a_second_service_that_fails_too_is_a_failure_of_its_own(service, events):
    try:
        by_httpx(f"http://127.0.0.1:{closed_port()}")
    except httpx.ConnectError:
        with pytest.raises(httpx.TransportError):
            by_httpx(f"{service.url}/reset")

    assert len(events()) == 2


def test_nothing_is_told_where_it_is_switched_off(service, events, monkeypatch):
    monkeypatch.setenv("ANCHOR_ERRORS", "0")

    by_requests(f"{service.url}/500")

    assert events() == []


@pytest.mark.parametrize(
    ("module", "told"), [("litellm.litellm_core_utils.get_model_cost_map", 0), ("shop.prices", 1)]
)
def test_price_table_that_litellm_does_without_is_no_failure(service, events, module, told):
    asking = {"__name__": module, "ask": by_httpx}

    exec(f"ask('{service.url}/503')", asking)

    assert len(events()) == told


class Nobody(requests.adapters.HTTPAdapter):
    """Where nobody answers, whatever the address."""

    def send(self, *_args, **_kwargs):
        raise requests.exceptions.ConnectTimeout


@pytest.mark.parametrize(
    ("host", "told"),
    [("partner.example", 1), ("169.254.169.254", 0), ("metadata.google.internal", 0)],
)
def test_search_for_a_clouds_metadata_is_no_failure(events, host, told):
    session = requests.Session()
    session.mount("http://", Nobody())

    with pytest.raises(requests.exceptions.ConnectTimeout):
        session.get(f"http://{host}/latest")

    assert len(events()) == told
