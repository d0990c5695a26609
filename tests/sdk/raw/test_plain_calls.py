"""A plain call that no SDK made leaves one receipt; its answer is what the server sent."""

from __future__ import annotations

import json

import pytest

from tests.sdk.raw.ways import KEY, every_way

ASK = [{"role": "user", "content": "hello there"}]
CALLS = {
    "openai": ("/v1/chat/completions", {"model": "gpt-4o", "messages": ASK}),
    "responses": ("/v1/responses", {"model": "gpt-4o", "input": "hello"}),
    "embeddings": ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "hello"}),
    "anthropic": ("/v1/messages", {"model": "claude-x", "max_tokens": 9, "messages": ASK}),
    "gemini": (
        "/v1beta/models/gemini-2.5-flash:generateContent",
        {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
    ),
}
SERVED_BY = {"responses": "openai", "embeddings": "openai"}
calls = pytest.mark.parametrize("call", CALLS)


def at(simulator, call):
    """The URL and body of a call."""
    path, body = CALLS[call]
    return getattr(simulator, SERVED_BY.get(call, call)) + path, body


@every_way
@calls
def test_plain_call_carries_the_billed_usage(way, call, simulator, one_receipt):
    way.plain(*at(simulator, call))

    receipt, (billed,) = one_receipt(), simulator.ledger()
    assert json.loads(receipt.raw_usage).items() >= billed["usage"].items()
    assert (receipt.sdk, receipt.provider) == (way.target, billed["provider"])
    assert (receipt.outcome, receipt.usage_source, receipt.billable) == ("ok", "provider", 1)
    assert (receipt.request_model, receipt.stream) == (billed["requested_model"], 0)


@every_way
def test_receipt_names_key_host_site_and_attempt(way, simulator, one_receipt):
    way.plain(*at(simulator, "openai"))

    receipt = one_receipt()
    assert receipt.provider_host == simulator.openai.removeprefix("http://")
    assert len(receipt.api_key_id) == 16
    assert (receipt.http_status, receipt.attempts) == (200, 1)
    assert receipt.call_site.startswith("tests.sdk.raw")


@every_way
def test_application_gets_the_bytes_that_were_sent(way, server, one_receipt):
    sent = json.dumps({"id": "x", "usage": {"prompt_tokens": 3}}).encode()
    server.answer(sent[:9], sent[9:], headers={"content-type": "application/json"})

    got = way.plain(f"{server.url}/v1/chat/completions", {"model": "m"})

    assert got == sent
    assert one_receipt().raw_usage == '{"prompt_tokens":3}'


@every_way
def test_long_answer_is_read_by_its_ends(way, server, one_receipt):
    long = {"object": "list", "data": [{"embedding": [0.125] * 200_000}]}
    sent = json.dumps(long | {"model": "e", "usage": {"prompt_tokens": 7}}).encode()
    server.answer(sent, headers={"content-type": "application/json"})

    assert way.plain(f"{server.url}/v1/embeddings", {"model": "e"}) == sent

    receipt = one_receipt()
    assert (receipt.raw_usage, receipt.response_model) == ('{"prompt_tokens":7}', "e")


@every_way
@pytest.mark.parametrize("body", [b"", b"{", b"[1, 2]", b'"text"', b"\xff\xfe"])
def test_answer_that_tells_nothing_is_billable_all_the_same(way, server, one_receipt, body):
    server.answer(body, headers={"content-type": "application/json"}, chunked=False)

    assert way.plain(f"{server.url}/v1/chat/completions", {"model": "m"}) == body

    receipt = one_receipt()
    assert (receipt.outcome, receipt.usage_source) == ("ok", "absent")


@every_way
@pytest.mark.parametrize("path", ["/v1/models", "/v1/messages/count_tokens", "/v1/files", "/"])
def test_path_that_costs_nothing_leaves_nothing(way, server, receipts, events, path):
    server.answer(b"{}", headers={"content-type": "application/json"})

    way.plain(server.url + path, {"model": "m"})

    assert (receipts(), events()) == ([], [])


@every_way
def test_unknown_host_leaves_nothing(way, server, receipts, events, monkeypatch):
    monkeypatch.setenv("ANCHOR_PROVIDER_HOSTS", "llm.example.org=openai")
    server.answer(b'{"usage":{"prompt_tokens":1}}', headers={"content-type": "application/json"})

    way.plain(f"{server.url}/v1/chat/completions", {"model": "m"})

    assert (receipts(), events()) == ([], [])


@every_way
def test_mapped_host_is_invoiced_as_mapped(way, server, one_receipt, monkeypatch):
    monkeypatch.setenv("ANCHOR_PROVIDER_HOSTS", "127.0.0.1=by-model")
    server.answer(b'{"usage":{"prompt_tokens":1}}', headers={"content-type": "application/json"})

    way.plain(f"{server.url}/v1/chat/completions", {"model": "xai/grok-5"})

    assert one_receipt().provider == "xai"


def test_azure_deployment_is_the_model_of_a_call_without_one(server, one_receipt):
    requests = pytest.importorskip("requests")
    server.answer(b'{"usage":{"prompt_tokens":1}}', headers={"content-type": "application/json"})

    path = "/openai/deployments/my%20gpt/chat/completions?api-version=1"
    requests.post(server.url + path, json={"messages": ASK}, headers=KEY, timeout=60)

    assert one_receipt().request_model == "my gpt"


def test_model_of_an_uploaded_recording_is_in_its_form(server, one_receipt, any_poster):
    server.answer(b'{"text":"hi"}', headers={"content-type": "application/json"})

    any_poster(f"{server.url}/v1/audio/transcriptions", "whisper-1", b"recording")

    receipt = one_receipt()
    assert (receipt.operation, receipt.request_model) == ("transcription", "whisper-1")


@pytest.fixture(params=["requests", "httpx", "httpx2"])
def any_poster(request):
    """Uploads a file with a form's field beside it."""
    library = pytest.importorskip(request.param)

    def post(url, model, file):
        return library.post(url, data={"model": model}, files={"file": ("a.mp3", file)}, timeout=60)

    return post
