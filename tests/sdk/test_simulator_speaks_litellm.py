"""LiteLLM reaches the simulator by the usual environment variables, for every provider."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Iterator

import pytest

from examples.provider_sim import Simulator

# Without it the import asks the network for a newer price table, three times.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
litellm = pytest.importorskip("litellm", reason="LiteLLM lives in the SDK worlds A and litellm")

ASK = [{"role": "user", "content": "hello there"}]
MODELS = [
    ("openai/gpt-4o", "openai"),
    ("anthropic/claude-haiku-4-5", "anthropic"),
    ("gemini/gemini-2.5-flash", "gemini"),
]
# What LiteLLM and its dependencies say of themselves.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def environment(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    yield
    # LiteLLM leaves an event loop behind; its warnings belong here, not to the next test.
    asyncio.set_event_loop(None)
    gc.collect()


@pytest.mark.parametrize(("model", "provider"), MODELS)
def test_completion_is_billed_by_its_provider(simulator, model, provider):
    answer = litellm.completion(model=model, messages=ASK)

    (row,) = simulator.ledger()
    assert row["provider"] == provider
    assert answer.usage.total_tokens == sum(row["meters"].values())


@pytest.mark.parametrize(("model", "provider"), MODELS)
def test_stream_is_billed_by_its_provider(simulator, model, provider):
    stream = litellm.completion(
        model=model, messages=ASK, stream=True, stream_options={"include_usage": True}
    )

    # The chunk with the usage has no choices in 1.109, and one in 1.106.
    texts = [choice.delta.content or "" for chunk in stream for choice in chunk.choices]

    assert "".join(texts).startswith("This is")
    assert [row["provider"] for row in simulator.ledger()] == [provider]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("rate_limit", "RateLimitError"),
        ("quota", "RateLimitError"),
        ("auth", "AuthenticationError"),
        ("model_not_found", "NotFoundError"),
        ("context_length", "ContextWindowExceededError"),
        ("server_error", "InternalServerError"),
    ],
)
def test_refusal_raises_litellms_class(simulator, kind, error):
    with pytest.raises(getattr(litellm, error)):
        litellm.completion(
            model="openai/gpt-4o",
            messages=[{"role": "user", "content": f"[[sim fail={kind}]]"}],
            max_retries=0,
        )

    assert simulator.ledger() == []
