"""What LiteLLM sends by itself is read below it; what no dialect knows is read from its answer."""

from __future__ import annotations

import asyncio
import gc
import json
import time

import pytest

from tests.sdk.raw.server import Server

litellm = pytest.importorskip("litellm", reason="no LiteLLM for this SDK world")

# LiteLLM warns while it works: TypedDict qualifiers, clients and tasks that outlive their loop.
pytestmark = pytest.mark.filterwarnings("ignore")
ASK = [{"role": "user", "content": "hello there"}]
CLAUDE = "anthropic/claude-x"
GEMINI = "gemini/gemini-2.5-flash"


@pytest.fixture(autouse=True)
def _addresses(home, simulator, monkeypatch):
    for name, value in simulator.environment().items():
        if name != "ANCHOR_PROVIDER_HOSTS":
            monkeypatch.setenv(name, value)


async def read_all(started):
    return [part async for part in await started]


def anthropic(simulator, **more):
    return {"api_base": simulator.anthropic, "api_key": "k", "model": CLAUDE, **more}


def openai(simulator, **more):
    return {"api_base": f"{simulator.openai}/v1", "api_key": "k", "model": "openai/gpt-4o", **more}


def gemini(simulator):
    turn = [{"role": "user", "parts": [{"text": "hello there"}]}]
    return {"api_base": simulator.gemini, "api_key": "k", "model": GEMINI, "contents": turn}


CALLS = {
    "responses": lambda s: litellm.responses(input="hi", **openai(s)),
    "responses-streamed": lambda s: list(litellm.responses(input="hi", **openai(s, stream=True))),
    "aresponses": lambda s: asyncio.run(litellm.aresponses(input="hi", **openai(s))),
    "aresponses-streamed": lambda s: asyncio.run(
        read_all(litellm.aresponses(input="hi", **openai(s, stream=True)))
    ),
    "responses-of-anthropic": lambda s: litellm.responses(input="hi", **anthropic(s)),
    "responses-of-anthropic-streamed": lambda s: list(
        litellm.responses(input="hi", **anthropic(s, stream=True))
    ),
    "messages": lambda s: asyncio.run(
        litellm.anthropic.messages.acreate(messages=ASK, max_tokens=20, **anthropic(s))
    ),
    "messages-streamed": lambda s: asyncio.run(
        read_all(
            litellm.anthropic.messages.acreate(
                messages=ASK, max_tokens=20, **anthropic(s, stream=True)
            )
        )
    ),
    "messages-of-openai-streamed": lambda s: asyncio.run(
        read_all(
            litellm.anthropic.messages.acreate(
                messages=ASK, max_tokens=20, **openai(s, stream=True)
            )
        )
    ),
    "content": lambda s: litellm.google_genai.generate_content(**gemini(s)),
    "content-streamed": lambda s: list(litellm.google_genai.generate_content_stream(**gemini(s))),
    "acontent-streamed": lambda s: asyncio.run(
        read_all(litellm.google_genai.agenerate_content_stream(**gemini(s)))
    ),
}


@pytest.fixture
def _proxy_parts():
    """LiteLLM's cache, and streams in other providers' formats, import parts of its proxy."""
    for package in ("backoff", "fastapi", "mcp", "orjson", "redis", "soundfile"):
        pytest.importorskip(package, reason="LiteLLM imports it for this")


@pytest.mark.usefixtures("_proxy_parts")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_call_is_one_receipt_with_the_providers_usage(call, simulator, one_receipt):
    answer = call(simulator)
    gc.collect()

    (billed,) = simulator.ledger()
    receipt = one_receipt()
    assert json.loads(receipt.raw_usage).items() >= billed["usage"].items()
    assert (receipt.sdk, receipt.provider) == ("litellm>httpx", billed["provider"])
    assert (receipt.usage_source, receipt.outcome, receipt.billable) == ("provider", "ok", 1)
    assert answer is not None


@pytest.mark.usefixtures("_proxy_parts")
@pytest.mark.parametrize("ask", ["completion", "responses"])
@pytest.mark.parametrize("stream", [False, True])
def test_answer_of_the_cache_is_no_call(ask, stream, simulator, one_receipt, monkeypatch):
    monkeypatch.setattr(litellm, "cache", litellm.Cache(type="local"))
    given = {"completion": anthropic(simulator, messages=ASK), "responses": openai(simulator)}[ask]
    given |= {"input": "hi"} if ask == "responses" else {}

    for _ in range(2):
        answer = getattr(litellm, ask)(**given, stream=stream, caching=True)
        if stream:
            list(answer)

    assert len(simulator.ledger()) == 1
    assert one_receipt().billable == 1


LLAMA = {
    "model": "llama3",
    "created_at": "2026-01-01T00:00:00Z",
    "message": {"role": "assistant", "content": "hello"},
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 12,
    "eval_count": 3,
}
HALF = {
    "model": "llama3",
    "created_at": "2026-01-01T00:00:00Z",
    "message": {"role": "assistant", "content": "hel"},
    "done": False,
}


@pytest.fixture
def ollama():
    """Asks a server whose dialect nobody here speaks but LiteLLM."""
    with Server() as server:

        def ask(*answers, **options):
            lines = [json.dumps(one).encode() + b"\n" for one in answers]
            server.answer(*lines, headers={"content-type": "application/x-ndjson"})
            return litellm.completion(
                model="ollama_chat/llama3", messages=ASK, api_base=server.url, **options
            )

        yield ask


@pytest.mark.parametrize("stream", [False, True])
def test_dialect_that_nobody_knows_is_read_from_litellms_answer(ollama, one_receipt, stream):
    answer = ollama(*([HALF] * stream), LLAMA, stream=stream)
    if stream:
        list(answer)

    receipt = one_receipt()
    assert (receipt.sdk, receipt.usage_shape) == ("litellm", "litellm.usage")
    usage = json.loads(receipt.raw_usage)
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (12, 3)


def test_unread_rest_of_such_a_stream_is_told_in_size(ollama, receipts, one_receipt):
    stream = ollama(HALF, LLAMA, stream=True)
    next(stream)
    del stream
    until = time.monotonic() + 60
    while not receipts() and time.monotonic() < until:
        gc.collect()  # a thread of LiteLLM's may hold the stream a little longer

    facts = json.loads(one_receipt().price_facts)
    assert (one_receipt().outcome, one_receipt().usage_source) == ("partial", "estimated")
    assert facts["sent_characters"] == len("hello there")
    assert facts["seen_characters"] == len("hel")


def test_every_try_of_litellms_is_a_call_of_its_own(simulator, receipts, one_event):
    simulator.script(fail="reset", times=1)

    litellm.completion(messages=ASK, **anthropic(simulator, num_retries=1))

    lost, answered = receipts()
    assert (lost.usage_source, lost.outcome) == ("absent", "error")
    assert (one_event().event_class, one_event().receipt_id) == ("network", lost.receipt_id)
    assert (answered.usage_source, answered.attempts) == ("provider", 1)


def test_traceback_in_a_message_is_not_kept(simulator, one_event):
    broken = [{"role": "user", "content": [{"type": "image_url"}]}]

    with pytest.raises(litellm.exceptions.APIConnectionError, match="Traceback"):
        litellm.completion(model="cohere_chat/command", messages=broken, api_key="k")

    assert one_event().message.startswith("litellm.APIConnectionError")
    assert "Traceback" not in one_event().message


def test_connection_that_litellm_gives_a_status_is_one_of_the_network(receipts, one_event):
    with pytest.raises(litellm.exceptions.APIConnectionError):
        litellm.completion(model="ollama_chat/m", messages=ASK, api_base="http://127.0.0.1:9")

    assert (one_event().event_class, one_event().http_status) == ("network", None)
    assert receipts() == []


DOCUMENT = {"type": "document_url", "document_url": "https://documents.invalid/a.pdf"}
PAGES = {
    "pages": [{"index": 0, "markdown": "hello"}],
    "model": "mistral-ocr-2512",
    "usage_info": {"pages_processed": 3},
}


@pytest.fixture
def ocr():
    """Has a document read by LiteLLM's native half, which no HTTP client of Python sees."""
    with Server() as server:

        def ask(answer, *, asynchronous, status=200):
            body = json.dumps(answer).encode()
            headers = {"content-type": "application/json"}
            server.answer(body, headers=headers, status=status, chunked=False)
            given = {"model": "mistral/mistral-ocr-latest", "document": DOCUMENT}
            given |= {"api_base": f"{server.url}/v1", "api_key": "k"}
            return asyncio.run(litellm.aocr(**given)) if asynchronous else litellm.ocr(**given)

        yield ask


@pytest.mark.parametrize("asynchronous", [False, True])
def test_native_half_of_litellm_is_seen(ocr, one_receipt, asynchronous):
    assert ocr(PAGES, asynchronous=asynchronous).usage_info.pages_processed == 3

    receipt = one_receipt()
    assert (receipt.sdk, receipt.provider, receipt.operation) == ("litellm", "mistral", "ocr")
    assert (receipt.request_model, receipt.response_model) == (
        "mistral/mistral-ocr-latest",
        "mistral-ocr-2512",
    )
    assert json.loads(receipt.price_facts) == {"pages": 3}
    assert (receipt.usage_source, receipt.billable, receipt.http_status) == ("provider", 1, 200)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_refusal_of_a_native_call_is_one_event(ocr, receipts, one_event, asynchronous):
    with pytest.raises(Exception, match="Unauthorized"):
        ocr({"message": "Unauthorized"}, asynchronous=asynchronous, status=401)

    event = one_event()
    assert (event.event_class, event.http_status, event.provider) == ("auth", 401, "mistral")
    assert receipts() == []


@pytest.fixture
def _native_messages(monkeypatch):
    if not hasattr(litellm, "rust"):
        pytest.skip("this LiteLLM has no native half")
    monkeypatch.setenv("LITELLM_RUST", "1")


@pytest.mark.usefixtures("_native_messages", "_proxy_parts")
@pytest.mark.parametrize("ask", ["messages", "messages-streamed"])
def test_native_messages_tell_the_providers_usage(ask, simulator, one_receipt):
    CALLS[ask](simulator)
    gc.collect()

    (billed,) = simulator.ledger()
    assert (one_receipt().sdk, one_receipt().outcome) == ("litellm", "ok")
    assert json.loads(one_receipt().raw_usage).items() >= billed["usage"].items()
