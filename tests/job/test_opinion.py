"""genai-prices as we read it says what the package itself says, of every model and hour."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.rates.opinion import KnownModel, Rule, read_opinion, step_at

data = pytest.importorskip("genai_prices.data", reason="the extra second-opinion is not installed")

# As LiteLLM's table names the provider of a model without anything before its name.
SAME_NAMES = {"anthropic", "deepseek", "groq", "mistral", "openai", "perplexity"}
MODELS = [
    (provider, model)
    for provider in data.providers
    for model in provider.models
    if provider.id in SAME_NAMES
    and not model.id.startswith(f"{provider.id}/")
    and provider.find_model(model.id) is model
]
INSTANTS = st.datetimes(datetime.fromisoformat("2024-01-01"), datetime.fromisoformat("2027-12-31"))


@given(st.sampled_from(MODELS), INSTANTS, st.sampled_from([1, 150_000, 250_000]))
def test_prices_of_an_instant_are_those_of_the_package(named, instant, prompt):
    provider, model = named
    known = read_opinion().find(provider.id, model.id)
    theirs = model.get_prices(instant.replace(tzinfo=UTC)).input_mtok

    assert known.model_id == model.id
    ours = known.at(instant).get("input_tokens")
    if theirs is None:
        assert ours is None
    else:
        assert step_at(ours, prompt - 1) * 1_000_000 == price_of(theirs, prompt)


def price_of(price, prompt):
    """As `calc_unit_price` of the package picks the tier."""
    if isinstance(price, Decimal):
        return price
    crossed = [tier.price for tier in price.tiers if prompt > tier.start]
    return crossed[-1] if crossed else price.base


@pytest.mark.parametrize(
    ("provider", "key", "found"),
    [
        ("openai", "o3-2025-04-16", "o3"),
        ("xai", "xai/grok-4.20", "grok-4.20"),
        ("bedrock_converse", "us.openai.gpt-5.6-sol", "regional.openai.gpt-5.6-sol"),
        ("vertex_ai-language-models", "gemini-3.6-flash", "gemini-3.6-flash"),
        ("together_ai", "together_ai/none-such", None),
    ],
)
def test_key_of_the_list_finds_the_model_of_the_same_seller(provider, key, found):
    model = read_opinion().find(provider, key)

    assert (model and model.model_id) == found


def test_prices_of_another_seller_are_not_borrowed():
    # The package itself would answer for Azure with Anthropic's price.
    (azure,) = (provider for provider in data.providers if provider.id == "azure")
    assert azure.find_model("claude-opus-4-6", all_providers=data.providers)

    assert read_opinion().find("azure_ai", "azure_ai/claude-opus-4-6") is None
    assert read_opinion().find("a reseller", "o3") is None


def test_hours_over_midnight_hold_on_both_sides_of_it():
    night = Rule(None, (time(22), time(2)), {"input_tokens": ((-1, Decimal(1)),)})
    model = KnownModel("m", (Rule(None, None, {}), night))

    held = [bool(model.at(datetime(2026, 11, 3, hour))) for hour in (21, 22, 1, 2)]  # noqa: DTZ001

    assert held == [False, True, True, False]


def test_first_rule_holds_before_any_start():
    model = KnownModel("m", (Rule(date(2026, 5, 1), None, {"input_tokens": ()}),))

    assert model.since(datetime.fromisoformat("2026-01-01")) is model.rules[0]


def test_missing_package_says_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "genai_prices.data", None)

    with pytest.raises(ConfigError, match=r"pip install 'anchor-autopatch\[job,second-opinion\]'"):
        read_opinion()
