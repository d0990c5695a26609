"""record() beside a patched SDK never doubles what the patch has written."""

from __future__ import annotations

import pytest

from anchor_autopatch import record
from anchor_autopatch.host.capture import sites

ASK = [{"role": "user", "content": "hello there"}]
FORMS = {
    "the object": lambda answer: answer,
    "a wrapper": lambda answer: {"response": answer},
    "its dict": lambda answer: answer.model_dump(),
    "its JSON dict": lambda answer: answer.to_dict(),
    "a copy": lambda answer: answer.model_copy(deep=True),
}


def chat(client):
    return client.chat.completions.create(model="gpt-4o", messages=ASK)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("provider", ["openai", "azure", None])
def test_recorded_answer_is_not_doubled(openai_client, receipts, form, provider):
    answer = chat(openai_client)

    record(FORMS[form](answer), provider=provider)

    assert len(receipts()) == 1


def test_recorded_message_is_not_doubled(anthropic_client, receipts):
    answer = anthropic_client.messages.create(model="claude-x", max_tokens=9, messages=ASK)

    record(answer, provider="anthropic")
    record(answer.model_dump(), provider="anthropic")

    assert len(receipts()) == 1


def test_recorded_gemini_answer_is_not_doubled(gemini_client, receipts):
    answer = gemini_client.models.generate_content(model="g", contents="hello")

    record(answer, provider="gemini")
    record(answer.model_dump(), provider="gemini")

    assert len(receipts()) == 1


def test_recorded_raw_response_is_not_doubled(openai_client, receipts):
    raw = openai_client.chat.completions.with_raw_response.create(model="m", messages=ASK)

    record(raw, provider="openai")
    record(raw.parse(), provider="openai")

    assert len(receipts()) == 1


def test_recorded_stream_is_not_doubled(openai_client, receipts):
    stream = openai_client.chat.completions.create(model="m", messages=ASK, stream=True)

    record(stream, provider="openai")
    chunks = list(stream)
    record(chunks[-1], provider="openai")

    assert len(receipts()) == 1


@pytest.mark.filterwarnings("ignore")
def test_recorded_litellm_answer_is_not_doubled(home, simulator, receipts):
    litellm = pytest.importorskip("litellm")
    answer = litellm.completion(
        model="openai/gpt-4o", messages=ASK, api_base=f"{simulator.openai}/v1", api_key="k"
    )

    record(answer, provider="openai")
    record(answer.model_dump(), provider="openai")

    assert len(receipts()) == 1


def test_two_answers_with_one_id_are_two(openai_client, simulator, receipts):
    simulator.script(fail="same_id", times=2)

    for _ in range(2):
        record(chat(openai_client), provider="openai")

    assert len(receipts()) == 2


def test_dict_of_another_provider_with_the_same_id_counts(openai_client, receipts):
    answer = chat(openai_client)

    record({"id": answer.id, "usage": {"prompt_tokens": 1}}, provider="mistral")

    assert sorted(receipt.provider for receipt in receipts()) == ["mistral", "openai"]


@pytest.mark.parametrize("said", ["openai", "self-hosted"])
def test_host_that_nobody_explained_is_the_one_that_the_caller_names(
    openai_client, receipts, monkeypatch, said
):
    monkeypatch.setenv("ANCHOR_PROVIDER_HOSTS", "")
    sites.forget()
    answer = chat(openai_client.with_options(base_url=f"{openai_client.base_url}/"))

    record(answer.model_dump(), provider=said)

    assert [receipt.provider for receipt in receipts()] == ["unmapped"]
