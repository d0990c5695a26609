"""A LiteLLM call that sends nothing is no provider call; one that does leaves its one receipt."""

from __future__ import annotations

import gc
import os

import pytest

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
litellm = pytest.importorskip("litellm", reason="LiteLLM lives in the SDK worlds A and litellm")

# LiteLLM warns while it works: TypedDict qualifiers, clients and tasks that outlive their loop.
pytestmark = pytest.mark.filterwarnings("ignore")
ASK = [{"role": "user", "content": "hello there"}]


class Own(litellm.CustomLLM):
    """A provider of the application's own, inside its process."""

    def completion(self, *_args, **_kwargs):
        return litellm.mock_completion(model="own", messages=ASK, mock_response="hi")


@pytest.fixture
def own_provider(monkeypatch):
    entry = {"provider": "own", "custom_handler": Own()}
    monkeypatch.setattr(litellm, "custom_provider_map", [entry])
    litellm.utils.custom_llm_setup()


def test_answer_of_the_process_itself_is_no_call(own_provider, receipts, events):
    answer = litellm.completion(model="own/model", messages=ASK)

    assert answer.choices[0].message.content == "hi"
    assert (receipts(), events()) == ([], [])


def test_call_over_plain_http_is_one_receipt(simulator, one_receipt):
    litellm.completion(
        model="anthropic/claude-x",
        messages=ASK,
        api_base=simulator.anthropic,
        api_key="k",
        max_tokens=20,
    )

    assert (one_receipt().sdk, one_receipt().provider) == ("litellm>httpx", "anthropic")


def test_stream_over_plain_http_is_one_receipt(simulator, one_receipt):
    stream = litellm.completion(
        model="anthropic/claude-x",
        messages=ASK,
        api_base=simulator.anthropic,
        api_key="k",
        max_tokens=20,
        stream=True,
    )

    assert list(stream)
    assert (one_receipt().sdk, one_receipt().outcome) == ("litellm>httpx", "ok")


def test_stream_that_never_sends_is_no_call(simulator, receipts, events):
    stream = litellm.completion(
        model="gemini/gemini-2.5-flash",
        messages=ASK,
        api_key="k",
        api_base=simulator.gemini,
        stream=True,
    )
    sent = len(simulator.requests())

    del stream
    gc.collect()

    assert (len(receipts()), events()) == (sent, [])
