"""Where our price differs from LiteLLM's on purpose, each by name with its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Exemption(NamedTuple):
    """A difference that is explained; `covers` says for which cases."""

    name: str
    reason: str
    covers: Callable[..., bool]


def explain(case, entry, ours, theirs):
    """The name of the exemption that covers a difference, None when nothing explains it."""
    for exemption in EXEMPTIONS:
        if exemption.covers(case, entry, ours, theirs):
            return exemption.name
    return None


def _details(case):
    return case.usage.get("prompt_tokens_details") or {}


def _no_rate(case, entry, ours, theirs):
    return ours is None and theirs == 0


def _empty_prompt(case, entry, ours, theirs):
    return bool(entry.get("tiered_pricing")) and case.usage.get("prompt_tokens") == 0


def _perplexity_flat(case, entry, ours, theirs):
    details = _details(case)
    cached = details.get("cached_tokens") or details.get("cache_creation_tokens")
    bracketed = any("_above_" in name for name in entry)
    return case.provider == "perplexity" and bool(cached or bracketed)


def _fireworks_tier(case, entry, ours, theirs):
    return case.provider == "fireworks_ai" and case.facts.get("service_tier") == "priority"


def _audio_tier(case, entry, ours, theirs):
    tiered = f"input_cost_per_audio_token_{case.facts.get('service_tier')}"
    return tiered in entry and bool(_details(case).get("audio_tokens"))


def _cached_in_batch(case, entry, ours, theirs):
    unpublished = entry.get("cache_read_input_token_cost") is None
    halved = entry.get("input_cost_per_token_batches") is None
    cached = bool(_details(case).get("cached_tokens"))
    return case.kind == "batch" and unpublished and halved and cached


def _rerouted_batch(case, entry, ours, theirs):
    return case.kind == "batch" and case.model.startswith("azure/mistral") and theirs == 0


def _gemini_tools(case, entry, ours, theirs):
    return case.kind == "gemini" and ours > theirs and case.usage["toolUsePromptTokenCount"] > 0


EXEMPTIONS = (
    Exemption("no rate", "LiteLLM returns 0 where it has no rate; we say unpriced", _no_rate),
    Exemption(
        "tiered pricing, empty prompt",
        "no step covers 0 tokens, so LiteLLM bills the answer at 0; we take the first step",
        _empty_prompt,
    ),
    Exemption(
        "perplexity, cached tokens and long prompts",
        "LiteLLM's own function for perplexity ignores published cache rates and brackets",
        _perplexity_flat,
    ),
    Exemption(
        "fireworks, priority tier",
        "LiteLLM's function for fireworks takes no tier, its table has the rates",
        _fireworks_tier,
    ),
    Exemption(
        "audio input, priority tier",
        "LiteLLM 1.106 drops the field between its table and its function",
        _audio_tier,
    ),
    Exemption(
        "batch without published cache rate",
        "LiteLLM bills cached tokens of such batches at 0; we bill half of the input rate",
        _cached_in_batch,
    ),
    Exemption(
        "azure/mistral in batches",
        "LiteLLM takes the model for another provider's and returns 0",
        _rerouted_batch,
    ),
    Exemption(
        "gemini tool prompts",
        "LiteLLM adds them to the prompt and then prices its text part alone",
        _gemini_tools,
    ),
)
