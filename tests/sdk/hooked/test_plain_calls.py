"""A plain call leaves one billable receipt that says what the provider's own ledger says."""

from __future__ import annotations

import asyncio
import json

import openai
import pytest
from google import genai

pytestmark = [
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The generate_images method is deprecated"),
]
ASK = [{"role": "user", "content": "hello there"}]
CLIENTS = {"openai": "openai_client", "anthropic": "anthropic_client", "gemini": "gemini_client"}
BILLED = {
    ("openai", "chat"): lambda c: c.chat.completions.create(model="gpt-4o", messages=ASK),
    ("openai", "text_completion"): lambda c: c.completions.create(model="davinci-002", prompt="x"),
    ("openai", "responses"): lambda c: c.responses.create(model="gpt-4o", input="hello"),
    ("openai", "embeddings"): lambda c: c.embeddings.create(
        model="text-embedding-3-small", input="a"
    ),
    ("openai", "image_generation"): lambda c: c.images.generate(
        model="gpt-image-1", prompt="a cat"
    ),
    ("openai", "transcription"): lambda c: c.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=("a.wav", b"RIFF", "audio/wav")
    ),
    ("anthropic", "chat"): lambda c: c.messages.create(
        model="claude-x", max_tokens=50, messages=ASK
    ),
    ("gemini", "generate_content"): lambda c: c.models.generate_content(
        model="gemini-2.5-flash", contents="hello"
    ),
    ("gemini", "embeddings"): lambda c: c.models.embed_content(
        model="gemini-embedding-2", contents=["hello"]
    ),
}
SHAPES = {
    ("openai", "responses"): "openai.responses",
    ("openai", "image_generation"): "openai.images",
    ("openai", "transcription"): "openai.transcription",
    ("anthropic", "chat"): "anthropic.messages",
    ("gemini", "generate_content"): "gemini.generate_content",
    ("gemini", "embeddings"): "gemini.embeddings",
}
cases = pytest.mark.parametrize(("provider", "operation"), BILLED)


@pytest.fixture
def call(request, provider, operation):
    """Makes the call of this case and returns its answer."""
    client = request.getfixturevalue(CLIENTS[provider])
    return lambda: BILLED[provider, operation](client)


@cases
def test_one_billable_receipt_names_the_call(call, provider, operation, one_receipt):
    call()

    receipt = one_receipt()
    sdk = {"gemini": "google-genai"}.get(provider, provider)
    assert (receipt.provider, receipt.sdk, receipt.operation) == (provider, sdk, operation)
    assert (receipt.billable, receipt.outcome, receipt.stream) == (1, "ok", 0)
    assert receipt.usage_source == "provider"


@cases
def test_receipt_agrees_with_the_ledger(call, provider, operation, one_receipt, simulator):
    call()

    receipt, (billed,) = one_receipt(), simulator.ledger()
    assert json.loads(receipt.raw_usage).items() >= billed["usage"].items()
    assert receipt.request_model == billed["requested_model"]
    assert receipt.response_model in (billed["model"], None)
    assert receipt.response_id == billed["response_id"]


@cases
def test_usage_shape_names_its_meaning(call, provider, operation, one_receipt):
    call()

    assert one_receipt().usage_shape == SHAPES.get((provider, operation), "openai.chat")


@cases
def test_http_facts_are_noted(call, provider, operation, one_receipt, simulator):
    call()

    receipt, (billed,) = one_receipt(), simulator.ledger()
    host = getattr(simulator, provider).removeprefix("http://")
    assert (receipt.http_status, receipt.provider_host) == (200, host)
    if provider != "gemini":
        assert (receipt.attempts, receipt.provider_request_id) == (1, billed["request_id"])


@cases
def test_answer_is_the_sdks_own(call, provider, operation):
    answer = call()

    assert type(answer).__module__.startswith(("openai.", "anthropic.", "google.genai."))


def test_call_site_and_key_fingerprint(openai_client, one_receipt):
    openai_client.chat.completions.create(model="gpt-4o", messages=ASK)

    receipt = one_receipt()
    assert receipt.call_site.endswith(":test_call_site_and_key_fingerprint")
    assert len(receipt.api_key_id) == 16
    assert receipt.duration_us > 0


ASYNC = {
    "openai": lambda c: c.chat.completions.create(model="gpt-4o", messages=ASK),
    "anthropic": lambda c: c.messages.create(model="claude-x", max_tokens=50, messages=ASK),
}


def async_client(provider, simulator):
    import anthropic

    if provider == "openai":
        return openai.AsyncOpenAI(base_url=f"{simulator.openai}/v1", api_key="k", max_retries=0)
    return anthropic.AsyncAnthropic(base_url=simulator.anthropic, api_key="k", max_retries=0)


@pytest.mark.parametrize("provider", ASYNC)
def test_async_call_leaves_the_same_receipt(home, simulator, provider, one_receipt):
    async def ask():
        async with async_client(provider, simulator) as client:
            return await ASYNC[provider](client)

    answer = asyncio.run(ask())

    receipt, (billed,) = one_receipt(), simulator.ledger()
    assert (receipt.response_id, receipt.provider, receipt.attempts) == (answer.id, provider, 1)
    assert json.loads(receipt.raw_usage) == billed["usage"]


def test_async_gemini_call_leaves_the_same_receipt(home, simulator, one_receipt):
    async def ask():
        options = {"base_url": simulator.gemini, "timeout": 60_000}
        with genai.Client(api_key="k", http_options=options) as client:
            answer = await client.aio.models.generate_content(model="g", contents="hello")
            await client.aio.aclose()
        return answer

    answer = asyncio.run(ask())

    receipt, (billed,) = one_receipt(), simulator.ledger()
    assert receipt.response_id == answer.response_id
    assert json.loads(receipt.raw_usage) == billed["usage"]


def test_concurrent_async_calls_leave_one_receipt_each(home, simulator, receipts):
    async def ask():
        async with async_client("openai", simulator) as client:
            calls = (ASYNC["openai"](client) for _ in range(20))
            return await asyncio.gather(*calls)

    answers = asyncio.run(ask())

    assert {receipt.response_id for receipt in receipts()} == {answer.id for answer in answers}
    assert {receipt.sdk for receipt in receipts()} == {"openai"}


UNITS = {
    "tts-1": (lambda c: c.audio.speech.create(model="tts-1", voice="alloy", input="hello"),
              {"characters": 5}),
    "dall-e-3": (lambda c: c.images.generate(model="dall-e-3", prompt="a cat", size="1024x1024"),
                 {"images": 1, "size": "1024x1024"}),
    "whisper-1": (lambda c: c.audio.transcriptions.create(
        model="whisper-1", file=("a.wav", b"RIFF", "audio/wav"), response_format="verbose_json"),
        {}),
}  # fmt: skip


@pytest.mark.parametrize("model", UNITS)
def test_call_billed_by_units_says_how_many(openai_client, one_receipt, model):
    ask, units = UNITS[model]

    ask(openai_client)

    receipt = one_receipt()
    assert receipt.billable
    assert json.loads(receipt.price_facts or "{}").items() >= units.items()


@pytest.fixture
def vertex_client(home, simulator):
    options = {"base_url": simulator.gemini, "timeout": 60_000}
    with genai.Client(vertexai=True, api_key="vertex-test", http_options=options) as client:
        yield client


def test_predicted_images_are_counted(vertex_client, one_receipt):
    vertex_client.models.generate_images(
        model="imagen-4.0-generate-001", prompt="a cat", config={"number_of_images": 2}
    )

    receipt = one_receipt()
    assert json.loads(receipt.price_facts)["images"] == 2
    assert (receipt.operation, receipt.usage_source) == ("image_generation", "provider")


def test_vertex_client_is_invoiced_by_vertex(vertex_client, one_receipt):
    vertex_client.models.generate_content(model="gemini-2.5-flash", contents="hello")

    receipt = one_receipt()
    assert (receipt.provider, receipt.request_model) == ("vertex_ai", "gemini-2.5-flash")


FREE = {
    "openai models": ("openai", lambda c: list(c.models.list())),
    "openai moderations": ("openai", lambda c: c.moderations.create(input="a")),
    "anthropic models": ("anthropic", lambda c: list(c.models.list())),
    "anthropic count_tokens": (
        "anthropic",
        lambda c: c.messages.count_tokens(model="claude-x", messages=ASK),
    ),
    "gemini models": ("gemini", lambda c: list(c.models.list())),
    "gemini count_tokens": (
        "gemini",
        lambda c: c.models.count_tokens(model="gemini-2.5-flash", contents="a"),
    ),
}


@pytest.mark.parametrize("name", FREE)
def test_free_call_leaves_no_receipt(request, name, receipts, events):
    provider, ask = FREE[name]

    ask(request.getfixturevalue(CLIENTS[provider]))

    assert (receipts(), events()) == ([], [])


@pytest.mark.parametrize("name", [name for name in FREE if "gemini" not in name])
def test_free_call_that_times_out_leaves_no_receipt(request, name, receipts, simulator):
    provider, ask = FREE[name]
    client = request.getfixturevalue(CLIENTS[provider]).with_options(timeout=0.2)
    simulator.script(fail="timeout")

    with pytest.raises(Exception, match=r"(?i)timed out"):
        ask(client)

    assert receipts() == []


def test_automatic_function_calling_bills_every_hop(gemini_client, simulator, receipts):
    def weather(city: str) -> str:
        """Tells the weather."""
        return f"sunny in {city}"

    gemini_client.models.generate_content(
        model="gemini-2.5-flash", contents="how is it?", config={"tools": [weather]}
    )

    billed = [row["response_id"] for row in simulator.ledger()]
    assert len(billed) == 2
    assert [receipt.response_id for receipt in receipts()] == billed


def test_large_inline_image_is_read_from_its_end(gemini_client, simulator, one_receipt):
    simulator.script(text="x" * 100_000)

    gemini_client.models.generate_content(model="gemini-2.5-flash", contents="hello")

    assert json.loads(one_receipt().raw_usage) == simulator.ledger()[0]["usage"]


@pytest.mark.parametrize("retries", [1, 2])
def test_retries_are_counted_as_attempts(openai_client, simulator, one_receipt, retries):
    simulator.script(fail="server_error", times=retries)

    openai_client.with_options(max_retries=2).chat.completions.create(model="gpt-4o", messages=ASK)

    assert one_receipt().attempts == retries + 1


def test_answer_without_usage_is_absent_not_zero(openai_client, simulator, one_receipt):
    simulator.script(fail="no_usage")

    openai_client.chat.completions.create(model="gpt-4o", messages=ASK)

    receipt = one_receipt()
    assert (receipt.usage_source, receipt.raw_usage, receipt.usage_shape) == ("absent", None, None)


def test_repeated_response_ids_are_billed_each(openai_client, simulator, receipts):
    simulator.script(fail="same_id", times=3)

    for _ in range(3):
        openai_client.chat.completions.create(model="gpt-4o", messages=ASK)

    assert len(receipts()) == 3


def test_unknown_host_is_unmapped(simulator, home, one_receipt, monkeypatch):
    monkeypatch.delenv("ANCHOR_PROVIDER_HOSTS")
    from anchor_autopatch.host.capture import sites

    sites.forget()

    with openai.OpenAI(base_url=f"{simulator.openai}/v1", api_key="k") as client:
        client.chat.completions.create(model="gpt-4o", messages=ASK)

    assert (one_receipt().provider, one_receipt().billable) == ("unmapped", 1)
