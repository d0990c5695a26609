"""Random and edge receipts over every model of the price table, in the shapes that hosts record."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from itertools import cycle, islice
from typing import NamedTuple

_EDGES = (0, 1, 100_000, 128_000, 200_000, 200_001, 256_000, 272_000, 272_001, 512_000)
_TIERS = (None, None, "flex", "priority", "ultrafast", "balanced", "default")
_BATCH_PROVIDERS = (
    "openai",
    "anthropic",
    "gemini",
    "vertex_ai",
    "azure",
    "bedrock",
    "mistral",
    "xai",
)
_GLOBAL_HOST = "aiplatform.googleapis.com"
_PLACES = ("global", "us-east5", "europe-west1", "us")
_START = datetime.fromisoformat("2026-11-01")


class Case(NamedTuple):
    """One receipt, and what LiteLLM has to be told beside its usage."""

    kind: str
    model: str
    provider: str
    usage_shape: str | None
    usage: dict | None
    facts: dict
    host: str | None
    occurred_at: datetime


def litellm_cases(models, count, seed):
    """Usage as LiteLLM normalises it, for each model of the table in turn; every tier."""
    dice = random.Random(seed)
    turns = _in_turn(dice, models, count)
    return [_litellm_case(dice, *model, dice.choice(_TIERS)) for model in turns]


def batch_cases(models, count, seed):
    """The same in batches, for the providers that sell them."""
    dice = random.Random(seed)
    # LiteLLM asks some other providers over the network who they are.
    sold = [pair for pair in models if pair[1] in _BATCH_PROVIDERS]
    cases = (_litellm_case(dice, *model, None) for model in _in_turn(dice, sold, count))
    return [case._replace(kind="batch", facts={"batch": True}) for case in cases]


def anthropic_cases(models, count, seed):
    """Messages with cache writes of both lifetimes, thinking, speed and inference place."""
    dice = random.Random(seed)
    own = [pair for pair in models if pair[1] == "anthropic"]
    return [_anthropic_case(dice, *model) for model in _in_turn(dice, own, count)]


def gemini_cases(models, count, seed):
    """Contents with thoughts, cached and multimodal prompts, image output and tool use."""
    dice = random.Random(seed)
    own = [pair for pair in models if pair[1] == "gemini"]
    return [_gemini_case(dice, *model) for model in _in_turn(dice, own, count)]


def openai_cases(models, count, seed):
    """Chat completions with cached, audio and reasoning tokens, from every processing region."""
    dice = random.Random(seed)
    own = [pair for pair in models if pair[1] == "openai"]
    return [_openai_case(dice, *model) for model in _in_turn(dice, own, count)]


def vertex_cases(models, count, seed):
    """The same from places of Vertex AI, some of which are dearer; in batches, too."""
    dice = random.Random(seed)
    own = [pair for pair in models if pair[1] == "vertex_ai"]
    cases = (_litellm_case(dice, *model, None) for model in _in_turn(dice, own, count))
    return [_at_a_place(dice, case) for case in cases]


def bedrock_cases(models, count, seed):
    """Converse, with the breakdown of cache writes by lifetime."""
    dice = random.Random(seed)
    own = [pair for pair in models if pair[1] == "bedrock"]
    return [_bedrock_case(dice, *model) for model in _in_turn(dice, own, count)]


def _in_turn(dice, models, count):
    """As many models as cases, every model as often as the others, in random order."""
    shuffled = dice.sample(models, len(models))
    return list(islice(cycle(shuffled), count))


def _at_a_place(dice, case):
    place = dice.choice(_PLACES)
    host = f"{place}-aiplatform.googleapis.com" if place != "global" else _GLOBAL_HOST
    batch = {"batch": True} if dice.random() < 0.3 else {}
    return case._replace(kind="vertex", host=host, facts=batch)


def _bedrock_case(dice, model, provider):
    short, long = dice.choice((0, dice.randint(0, 5_000))), dice.choice((0, dice.randint(0, 5_000)))
    read, cached, made = (
        _prompt(dice),
        dice.choice((0, dice.randint(0, 50_000))),
        dice.randint(0, 8_000),
    )
    usage = {
        "inputTokens": read,
        "outputTokens": made,
        "cacheReadInputTokens": cached,
        "cacheWriteInputTokens": short + long,
        "totalTokens": read + made + cached + short + long,
    }
    if short + long and dice.random() < 0.7:
        by_time = (("5m", short), ("1h", long))
        usage["cacheDetails"] = [
            {"ttl": ttl, "inputTokens": tokens} for ttl, tokens in by_time if tokens
        ]
    facts = {"service_tier": dice.choice(("default", "flex", "priority"))}
    shape = "bedrock.converse"
    return Case("bedrock", model, provider, shape, usage, facts, None, _instant(dice))


def _litellm_case(dice, model, provider, tier):
    prompt, completion = _prompt(dice), dice.choice((0, 1, dice.randint(1, 8_000)))
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    shares = ("cached_tokens", 0.6), ("cache_creation_tokens", 0.4), ("audio_tokens", 0.15)
    details = _cut(dice, prompt, (*shares, ("image_tokens", 0.15), ("video_tokens", 0.1)))
    written = details.get("cache_creation_tokens")
    if written and dice.random() < 0.5:
        short = dice.randint(0, written)
        details["cache_creation_token_details"] = {
            "ephemeral_5m_input_tokens": short,
            "ephemeral_1h_input_tokens": written - short,
        }
    made = _cut(
        dice,
        completion,
        (
            ("reasoning_tokens", 0.4),
            ("audio_tokens", 0.1),
            ("image_tokens", 0.1),
            ("video_tokens", 0.1),
        ),
    )
    usage |= {"prompt_tokens_details": details} if details else {}
    usage |= {"completion_tokens_details": made} if made else {}
    facts = {"service_tier": tier} if tier else {}
    return Case("tokens", model, provider, "litellm.usage", usage, facts, None, _instant(dice))


def _anthropic_case(dice, model, provider):
    short, long = dice.choice((0, dice.randint(0, 5_000))), dice.choice((0, dice.randint(0, 5_000)))
    usage = {
        "input_tokens": _prompt(dice),
        "cache_read_input_tokens": dice.choice((0, dice.randint(0, 50_000))),
        "cache_creation_input_tokens": short + long,
        "cache_creation": {
            "ephemeral_5m_input_tokens": short,
            "ephemeral_1h_input_tokens": long,
        },
        "output_tokens": dice.randint(0, 8_000),
        "service_tier": dice.choice(("standard", "priority")),
        "speed": dice.choice(("standard", "fast")),
        "inference_geo": dice.choice(("global", "us", "not_available")),
    }
    return Case("anthropic", model, provider, "anthropic.messages", usage, {}, None, _instant(dice))


def _gemini_case(dice, model, provider):
    prompt, answer = _prompt(dice), dice.randint(0, 8_000)
    thoughts, tool = (
        dice.choice((0, dice.randint(0, 4_000))),
        dice.choice((0, dice.randint(0, 900))),
    )
    parts = _cut(dice, prompt, (("AUDIO", 0.2), ("IMAGE", 0.3)))
    parts["TEXT"] = prompt - sum(parts.values())
    cached = dice.choice((0, dice.randint(0, parts["TEXT"])))
    made = _cut(dice, answer, (("IMAGE", 0.3),))
    made["TEXT"] = answer - sum(made.values())
    usage = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": answer,
        "thoughtsTokenCount": thoughts,
        "toolUsePromptTokenCount": tool,
        "totalTokenCount": prompt + answer + thoughts + tool,
        "promptTokensDetails": _modalities(parts),
        "candidatesTokensDetails": _modalities(made),
    }
    if cached:
        usage["cachedContentTokenCount"] = cached
        usage["cacheTokensDetails"] = _modalities({"TEXT": cached})
    shape = "gemini.generate_content"
    return Case("gemini", model, provider, shape, usage, {}, None, _instant(dice))


def _openai_case(dice, model, provider):
    prompt, completion = _prompt(dice), dice.randint(0, 8_000)
    details = _cut(dice, prompt, (("cached_tokens", 0.6), ("audio_tokens", 0.2)))
    made = _cut(dice, completion, (("reasoning_tokens", 0.5), ("audio_tokens", 0.2)))
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0} | details,
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0} | made,
    }
    host = dice.choice(("api.openai.com", "us.api.openai.com", "eu.api.openai.com"))
    tier = dice.choice(("default", "flex", "priority"))
    facts = {"service_tier": tier}
    return Case("openai", model, provider, "openai.chat", usage, facts, host, _instant(dice))


def _prompt(dice):
    return dice.choice((dice.choice(_EDGES), dice.randint(1, 5_000), dice.randint(1, 1_200_000)))


def _cut(dice, total, shares):
    """Disjoint parts of a total, each present with its probability."""
    parts = {}
    for name, probability in shares:
        left = total - sum(parts.values())
        if left and dice.random() < probability:
            parts[name] = dice.randint(0, left)
    return parts


def _modalities(parts):
    return [{"modality": name, "tokenCount": tokens} for name, tokens in parts.items() if tokens]


def _instant(dice):
    return _START + timedelta(seconds=dice.randint(0, 20 * 86_400))
