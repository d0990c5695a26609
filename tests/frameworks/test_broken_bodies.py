"""An answer whose body breaks while the application reads it is one failure of that service."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import httpx
import httpx2
import openai
import pytest
import requests
import urllib3

from tests.frameworks.depending import closed_port, partner
from tests.host.fixtures import one_event, receipts

__all__ = ["one_event", "receipts"]

pytestmark = pytest.mark.usefixtures("home")

log = logging.getLogger("shop.partner")
FAULTS = (
    OSError,
    aiohttp.ClientError,
    httpx.HTTPError,
    httpx2.HTTPError,
    urllib3.exceptions.HTTPError,
)


@pytest.fixture(scope="module")
def service():
    with partner() as started:
        yield started


def whole_by_requests(url, timeout=30):
    return requests.get(url, timeout=timeout).content


def pieces_by_requests(url, timeout=30):
    with requests.get(url, timeout=timeout, stream=True) as answer:
        return list(answer.iter_content(3))


def whole_by_urllib3(url, timeout=30):
    with urllib3.PoolManager() as pool:
        return pool.request("GET", url, timeout=timeout, retries=False).data


def pieces_by_urllib3(url, timeout=30):
    with urllib3.PoolManager() as pool:
        answer = pool.request("GET", url, timeout=timeout, retries=False, preload_content=False)
        return list(answer.stream(3))


def whole_by_httpx(url, timeout=30):
    return httpx.get(url, timeout=timeout).content


def pieces_by_httpx(url, timeout=30):
    with httpx.stream("GET", url, timeout=timeout) as answer:
        return list(answer.iter_bytes())


def pieces_by_httpx2(url, timeout=30):
    with httpx2.stream("GET", url, timeout=timeout) as answer:
        return list(answer.iter_raw())


def pieces_by_async_httpx(url, timeout=30):
    async def ask():
        async with (
            httpx.AsyncClient(timeout=timeout) as client,
            client.stream("GET", url) as answer,
        ):
            return [piece async for piece in answer.aiter_bytes()]

    return asyncio.run(ask())


def by_aiohttp(read):
    def ask(url, timeout=30):
        async def work():
            limit = aiohttp.ClientTimeout(total=timeout)
            async with aiohttp.ClientSession(timeout=limit) as session, session.get(url) as answer:
                await read(answer)

        return asyncio.run(work())

    return ask


async def _in_pieces(answer):
    async for _piece in answer.content.iter_any():
        # Long enough for the break to come between two steps.
        await broken(answer)


async def _in_chunks(answer):
    async for _piece in answer.content.iter_chunks():
        await broken(answer)


async def _by_size(answer):
    while await answer.content.read(3):
        pass


async def broken(answer):
    """Waits until the connection is known to be broken."""
    while answer.content.exception() is None:
        await asyncio.sleep(0.001)


whole_by_aiohttp = by_aiohttp(lambda answer: answer.read())
pieces_by_aiohttp = by_aiohttp(_in_pieces)
chunks_by_aiohttp = by_aiohttp(_in_chunks)
sizes_by_aiohttp = by_aiohttp(_by_size)

WHOLE = [whole_by_requests, whole_by_urllib3, whole_by_httpx, whole_by_aiohttp]
PIECES = [
    pieces_by_requests,
    pieces_by_urllib3,
    pieces_by_httpx,
    pieces_by_httpx2,
    pieces_by_async_httpx,
    sizes_by_aiohttp,
]
BETWEEN_STEPS = [pieces_by_aiohttp, chunks_by_aiohttp]


@pytest.mark.parametrize("way", ["cut", "torn"])
@pytest.mark.parametrize("ask", WHOLE + PIECES + BETWEEN_STEPS)
def test_body_that_ends_too_early_is_one_event(service, one_event, ask, way):
    with pytest.raises(FAULTS):
        ask(f"{service.url}/{way}/4711?token=t0psecret")

    event = one_event()
    assert (event.event_class, event.dependency, event.provider) == ("network", service.host, None)
    assert not any(word in str(event) for word in ("4711", "t0psecret", "begin"))


DECODING = [*WHOLE, pieces_by_httpx, pieces_by_async_httpx, sizes_by_aiohttp, *BETWEEN_STEPS]


@pytest.mark.parametrize("ask", DECODING)
def test_body_that_cannot_be_decompressed_is_one_event(service, one_event, ask):
    with pytest.raises(FAULTS):
        ask(f"{service.url}/undecodable")

    assert one_event().event_class in ("dependency_error", "network")
    assert one_event().dependency == service.host


@pytest.mark.parametrize("way", ["cut", "torn"])
@pytest.mark.parametrize("ask", WHOLE + PIECES + BETWEEN_STEPS)
def test_broken_body_of_a_refusal_is_one_failure(service, one_event, ask, way):
    with pytest.raises(FAULTS):
        ask(f"{service.url}/{way}/503")

    # Read within the send, the status has been told to nobody yet.
    assert one_event().event_class in ("dependency_error", "network")


@pytest.mark.parametrize("ask", WHOLE + PIECES)
def test_body_that_stalls_is_a_timeout(service, one_event, ask):
    with pytest.raises(FAULTS):
        ask(f"{service.url}/stalled", timeout=0.3)

    assert (one_event().event_class, one_event().dependency) == ("timeout", service.host)


@pytest.mark.parametrize("ask", WHOLE + PIECES)
def test_broken_body_that_is_logged_too_is_one_event(service, one_event, ask):
    try:
        ask(f"{service.url}/cut")
    except Exception:
        log.exception("half an answer")

    assert one_event().event_class == "network"


@pytest.mark.parametrize("ask", [pieces_by_requests, pieces_by_httpx, sizes_by_aiohttp])
def test_broken_body_of_a_fallback_is_a_failure_of_its_own(service, events, ask):
    try:
        whole_by_httpx(f"http://127.0.0.1:{closed_port()}")
    except httpx.ConnectError:
        with pytest.raises(FAULTS):
            ask(f"{service.url}/cut")

    assert len(events()) == 2


def test_retry_of_a_broken_body_that_succeeds_is_no_failure(service, events):
    paths = iter(["cut", "200"])

    class Turning(urllib3.HTTPConnectionPool):
        def _make_request(self, conn, method, _url, **kwargs):
            return super()._make_request(conn, method, f"/{next(paths)}", **kwargs)

    with Turning("127.0.0.1", service.server_address[1]) as pool:
        assert pool.urlopen("GET", "/", retries=urllib3.Retry(2, backoff_factor=0)).status == 200

    assert events() == []


async def _close(answer):
    answer.close()
    with pytest.raises(aiohttp.ClientConnectionError):
        await answer.read()


async def _cancel(answer):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(answer.read(), 0.05)


@pytest.mark.parametrize("leave", [_close, _cancel])
def test_body_that_the_application_leaves_is_no_failure(service, events, leave):
    by_aiohttp(leave)(f"{service.url}/stalled")

    assert events() == []


def test_broken_stream_of_a_provider_is_that_calls_failure_only(service, receipts, one_event):
    client = openai.OpenAI(api_key="k", base_url=f"{service.url}/torn", max_retries=0)

    with client, pytest.raises(openai.APIConnectionError):
        list(client.chat.completions.create(model="gpt-4o", messages=[], stream=True))

    assert (one_event().provider, one_event().receipt_id) == ("openai", receipts()[0].receipt_id)
