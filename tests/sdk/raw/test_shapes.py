"""Less usual ways to send (methods, redirects, uploads, hooks, HTTP/2): one call, one receipt."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.sdk.raw import http2
from tests.sdk.raw.ways import KEY

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
ANSWER = json.dumps({"id": "c1", "model": "gpt-4o-x", "usage": USAGE}).encode()
EVENT = b'data: {"id":"c1","choices":[],"usage":%s}\n\n' % json.dumps(USAGE).encode()
JSON = {"content-type": "application/json"}
CHAT = "/v1/chat/completions"
LIBRARIES = ["requests", "urllib3", "httpx", "httpx2", "aiohttp"]
every_library = pytest.mark.parametrize("library", LIBRARIES)


@pytest.fixture
def ask(library):
    """Asks once, with these arguments of the library's own; returns status and body."""
    module = pytest.importorskip(library)

    def through_pool(method, url, **given):
        with module.PoolManager(retries=module.Retry(3, redirect=3)) as pool:
            answer = pool.request(method, url, **given)
            return answer.status, answer.data

    def through_client(method, url, **given):
        with module.Client(follow_redirects=True) as client:
            answer = client.request(method, url, **given)
            return answer.status_code, answer.content

    def through_session(method, url, **given):
        with module.Session() as session:
            answer = session.request(method, url, timeout=60, **given)
            return answer.status_code, answer.content

    async def asked(method, url, **given):
        async with (
            module.ClientSession() as session,
            session.request(method, url, **given) as answer,
        ):
            return answer.status, await answer.read()

    return {
        "requests": through_session,
        "urllib3": through_pool,
        "aiohttp": lambda *args, **given: asyncio.run(asked(*args, **given)),
    }.get(library, through_client)


@every_library
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "GET", "DELETE"])
def test_only_a_post_costs_money(ask, server, receipts, events, method):
    server.answer(b"" if method == "HEAD" else ANSWER, headers=JSON)

    assert ask(method, server.url + CHAT)[0] == 200

    assert (receipts(), events()) == ([], [])


@every_library
def test_redirected_call_is_billed_where_it_is_answered(ask, server, one_receipt, events):
    server.answer(headers={"location": f"/elsewhere{CHAT}"}, status=307)
    server.answer(ANSWER, headers=JSON)

    assert ask("POST", server.url + CHAT, json=BODY) == (200, ANSWER)

    receipt = one_receipt()
    assert (receipt.http_status, json.loads(receipt.raw_usage), events()) == (200, USAGE, [])


@every_library
def test_redirect_that_turns_into_a_get_costs_nothing(ask, server, receipts, events):
    server.answer(headers={"location": "/login"}, status=303)
    server.answer(b"<html>", headers={"content-type": "text/html"})

    assert ask("POST", server.url + CHAT, json=BODY) == (200, b"<html>")

    assert (receipts(), events()) == ([], [])


def _parts():
    data = json.dumps(BODY).encode()
    yield data[:20]
    yield data[20:]


async def _async_parts():
    for part in _parts():
        yield part


UPLOADS = {
    "requests": lambda: {"data": _parts()},
    "urllib3": lambda: {"body": _parts()},
    "httpx": lambda: {"content": _parts()},
    "httpx2": lambda: {"content": _parts()},
    "aiohttp": lambda: {"data": _async_parts()},
}


@every_library
def test_upload_in_pieces_is_sent_as_it_is(ask, library, server, one_receipt):
    server.answer(ANSWER, headers=JSON)

    assert ask("POST", server.url + CHAT, **UPLOADS[library]()) == (200, ANSWER)

    receipt = one_receipt()
    assert json.loads(server.bodies[0]) == BODY
    # The question cannot be read without consuming it; the answer names the model.
    assert (receipt.request_model, receipt.response_model) == (None, "gpt-4o-x")
    assert json.loads(receipt.raw_usage) == USAGE


def test_hooks_of_a_requests_session_run_and_see_the_answer(server, one_receipt):
    requests = pytest.importorskip("requests")
    server.answer(ANSWER, headers=JSON)
    heard = []

    with requests.Session() as session:
        session.hooks["response"].append(lambda answer, **_: heard.append(answer.json()["id"]))
        session.post(server.url + CHAT, json=BODY, timeout=60)

    assert (heard, one_receipt().http_status) == (["c1"], 200)


def test_request_that_a_hook_sends_again_is_one_call(server, one_receipt, events):
    requests = pytest.importorskip("requests")
    server.answer(b"", status=401, headers={"www-authenticate": 'Digest realm="r", nonce="n"'})
    server.answer(ANSWER, headers=JSON)

    requests.post(
        server.url + CHAT, json=BODY, timeout=60, auth=requests.auth.HTTPDigestAuth("u", "p")
    )

    assert (one_receipt().http_status, one_receipt().attempts, events()) == (200, 2, [])


def test_middleware_of_aiohttp_that_tries_again_is_one_call(server, one_receipt, events):
    aiohttp = pytest.importorskip("aiohttp")
    server.answer(b"{}", status=500, headers=JSON)
    server.answer(ANSWER, headers=JSON)

    async def again(request, handler):
        answer = await handler(request)
        if answer.status != 500:
            return answer
        answer.release()
        return await handler(request)

    async def ask():
        async with (
            aiohttp.ClientSession(middlewares=(again,)) as session,
            session.post(server.url + CHAT, json=BODY, headers=KEY) as answer,
        ):
            return await answer.read()

    assert asyncio.run(ask()) == ANSWER
    assert (one_receipt().http_status, events()) == (200, [])


def test_urllib3_response_that_is_read_by_its_connection(server, one_receipt):
    urllib3 = pytest.importorskip("urllib3")
    server.answer(ANSWER, headers=JSON)

    with urllib3.PoolManager() as pool:
        answer = pool.request("POST", server.url + CHAT, json=BODY, preload_content=False)
        assert answer.json()["id"] == "c1"
        answer.release_conn()

    assert json.loads(one_receipt().raw_usage) == USAGE


@pytest.mark.parametrize("kind", ["plain", "streamed"])
@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_http2_makes_no_difference(library, kind, home, one_receipt):
    module = pytest.importorskip(library)
    pytest.importorskip("h2")
    streamed = kind == "streamed"
    body, content_type = (
        (EVENT, "text/event-stream") if streamed else (ANSWER, JSON["content-type"])
    )

    with http2.serving(body, content_type) as url, module.Client(http1=False, http2=True) as client:
        with client.stream("POST", url + CHAT, json=BODY) as answer:
            got = b"".join(answer.iter_raw())
        version = answer.http_version

    assert (got, version, json.loads(one_receipt().raw_usage)) == (body, "HTTP/2", USAGE)


@every_library
def test_host_named_in_anchor_toml_is_watched(ask, server, home, one_receipt, monkeypatch):
    from anchor_autopatch.host.capture import sites
    from anchor_autopatch.host.clients import raw

    monkeypatch.delenv("ANCHOR_PROVIDER_HOSTS")
    (home / "anchor.toml").write_text('[hosts]\n"127.0.0.1" = "mistral"\n')
    sites.forget()
    raw.forget()
    server.answer(ANSWER, headers=JSON)

    ask("POST", server.url + CHAT, json=BODY)

    raw.forget()
    assert one_receipt().provider == "mistral"
