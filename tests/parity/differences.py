"""Where LiteLLM's own functions say another amount than we do, each by name, with that amount.

A difference is no excuse: it states from the case and the price list alone when LiteLLM departs,
and by how much. Whatever is off by anything else, in those cases too, is a failure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple


class Difference(NamedTuple):
    """One habit of LiteLLM's that we do not share."""

    name: str
    reason: str
    applies: Callable[..., bool]
    """(case, entry of the price list, our answer) -> whether LiteLLM departs here."""
    amount: Callable[..., Decimal]
    """The same -> what LiteLLM says, in USD."""


class Expected(NamedTuple):
    """What LiteLLM is to say of a case, and the name of the difference; None = the same as we."""

    amount: Decimal
    name: str | None


def expected(case, table, ours):
    """What LiteLLM has to say of a case that we answer with `ours`, by the entries of `table`."""
    entry = table.get(_key(case, table) or ours.model_key, {})
    for difference in DIFFERENCES:
        if difference.applies(case, entry, ours):
            amount = difference.amount(case, entry, ours)
            # A habit that changes nothing here is not at work here.
            return Expected(amount, None if amount == ours.cost else difference.name)
    return Expected(ours.cost, None)


def _key(case, table):
    """The key that LiteLLM takes when a name has its provider twice: the one that has it once."""
    once = case.model.removeprefix(f"{case.provider}/")
    return once if once.startswith(f"{case.provider}/") and once in table else None


def _details(case):
    return case.usage.get("prompt_tokens_details") or {}


def _rate(entry, *names):
    found = (entry.get(name) for name in names)
    return next((Decimal(str(rate)) for rate in found if rate is not None), None)


def _without(ours, *meters):
    """Our amount without the lines of these meters."""
    return sum((line.cost for meter, line in ours.lines.items() if meter not in meters), Decimal(0))


def _nothing(case, entry, ours):
    return Decimal(0)


def _is_unpriced(case, entry, ours):
    """Unpriced by us, and by the list: no field of it is about what was used."""
    batch, tier = "batch" in case.facts, case.facts.get("service_tier")
    fields = "|".join(_fields_of(meter, batch=batch) for meter in ours.lines)
    others = re.compile(rf".*_(?!{tier}$)(flex|balanced|priority|ultrafast)")
    stated = (entry, *(entry.get("tiered_pricing") or ()))
    priced = any(
        re.fullmatch(fields, name) and part[name] is not None and not others.fullmatch(name)
        for part in stated
        for name in part
    )
    return ours.cost is None and not priced


def _fields_of(meter, *, batch):
    """Fields of the list that price a meter, as a pattern."""
    if meter.startswith("cache_"):
        return "(input|cache_read_input|cache_creation_input)(_cost_per)?_token.*"
    side, *kind = meter.removesuffix("tokens").strip("_").split("_")
    kinds = ["", *(f"{name}_" for name in kind if name != "tool")]
    if side == "output" and not batch:
        # Where only image tokens have a price, all output is taken for those.
        kinds.append("image_")
    return f"{side}_cost_per_({'|'.join(kinds)})token.*"


def _is_empty_tiered(case, entry, ours):
    return bool(entry.get("tiered_pricing")) and case.usage.get("prompt_tokens") == 0


def _is_cohere(case, entry, ours):
    return case.usage_shape == "cohere.billed_units"


def _cohere_tokens(case, entry, ours):
    told = case.usage["tokens"]
    read = _rate(entry, "input_cost_per_token")
    made = _rate(entry, "output_cost_per_token")
    return told["input_tokens"] * read + told["output_tokens"] * made


def _is_total_alone(case, entry, ours):
    counts = [name for name in case.usage if name.endswith("_tokens")]
    return counts == ["total_tokens"]


def _is_told_cost(case, entry, ours):
    return case.provider == "perplexity" and "total_cost" in (case.usage.get("cost") or {})


def _told_cost(case, entry, ours):
    return Decimal(str(case.usage["cost"]["total_cost"]))


def _is_cached_sound(case, entry, ours):
    gemini = case.usage_shape == "gemini.generate_content"
    return gemini and "cache_read_audio_tokens" in ours.lines


def _sound_as_text(case, entry, ours):
    tokens = ours.lines["cache_read_audio_tokens"].quantity
    rate = _rate(entry, "cache_read_input_token_cost", "input_cost_per_token")
    return _without(ours, "cache_read_audio_tokens") + tokens * rate


def _is_advised(case, entry, ours):
    return case.usage_shape == "anthropic.messages" and bool(_advice(case))


def _advice(case):
    steps = case.usage.get("iterations") or ()
    return [step for step in steps if step["type"] == "advisor_message"]


def _at_one_model(case, entry, ours):
    read = sum(step["input_tokens"] for step in _advice(case))
    made = sum(step["output_tokens"] for step in _advice(case))
    rates = _rate(entry, "input_cost_per_token"), _rate(entry, "output_cost_per_token")
    return ours.cost + read * rates[0] + made * rates[1]


def _is_more_than_whole(case, entry, ours):
    return case.usage_shape == "openai.chat" and any(_surplus(case).values())


def _surplus(case):
    """Meter -> tokens of a part beyond its whole, which we cut off and LiteLLM bills."""
    made = case.usage.get("completion_tokens_details") or {}
    cached, thought = _details(case).get("cached_tokens") or 0, made.get("reasoning_tokens") or 0
    completion = case.usage.get("completion_tokens") or 0
    spoken = made.get("audio_tokens") or 0
    folded = case.usage.get("total_tokens") == case.usage["prompt_tokens"] + completion + thought
    return {
        "cache_read_tokens": max(cached - case.usage["prompt_tokens"], 0),
        "output_reasoning_tokens": 0 if folded else max(thought - completion, 0),
        "output_audio_tokens": 0 if folded else max(thought + spoken - completion, 0),
    }


def _parts_as_told(case, entry, ours):
    surplus = [(ours.lines.get(meter), tokens) for meter, tokens in _surplus(case).items()]
    return ours.cost + sum(tokens * line.unit for line, tokens in surplus if line and tokens)


def _is_perplexity(case, entry, ours):
    return case.kind == "tokens" and case.provider == "perplexity"


def _flat_perplexity(case, entry, ours):
    read = _rate(entry, "input_cost_per_token") or 0
    made = _rate(entry, "output_cost_per_token") or 0
    thought = (case.usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)
    thinking = _rate(entry, "output_cost_per_reasoning_token", "output_cost_per_token") or 0
    spoken = case.usage["completion_tokens"] - thought
    return Decimal(case.usage["prompt_tokens"] * read + spoken * made + thought * thinking)


def _is_fireworks_tier(case, entry, ours):
    asked = case.provider == "fireworks_ai" and case.facts.get("service_tier") == "priority"
    return asked and any(name.endswith("_priority") for name in entry)


def _standard_fireworks(case, entry, ours):
    # Without its tiers a model of Fireworks has three rates, and no bracket.
    read = _rate(entry, "input_cost_per_token") or 0
    made = _rate(entry, "output_cost_per_token") or 0
    cached = _rate(entry, "cache_read_input_token_cost")
    details = _details(case)
    hits = details.get("cached_tokens", 0)
    return Decimal(
        (case.usage["prompt_tokens"] - hits) * read
        + hits * (read / 2 if cached is None else cached)
        + case.usage["completion_tokens"] * made
    )


def _is_dropped_audio_tier(case, entry, ours):
    tiered = f"input_cost_per_audio_token_{case.facts.get('service_tier')}"
    return case.kind == "tokens" and tiered in entry and "input_audio_tokens" in ours.lines


def _standard_audio(case, entry, ours):
    heard = ours.lines["input_audio_tokens"].quantity * _rate(entry, "input_cost_per_audio_token")
    return _without(ours, "input_audio_tokens") + heard


def _is_halved_cache(case, entry, ours):
    unpublished = entry.get("cache_read_input_token_cost") is None
    halved = entry.get("input_cost_per_token_batches") is None
    return "batch" in case.facts and unpublished and halved


def _free_cache(case, entry, ours):
    return _without(ours, "cache_read_tokens", "cache_read_audio_tokens")


def _is_rerouted(case, entry, ours):
    return case.kind == "batch" and case.model == "azure/mistral-large-latest"


def _is_gemini_tool(case, entry, ours):
    # Where the prompt has no fresh text, LiteLLM takes the rest for text, and so bills the tool's.
    fresh = {"input_tool_tokens", "input_tokens"} <= ours.lines.keys()
    return case.usage_shape == "gemini.generate_content" and fresh


def _free_tool(case, entry, ours):
    return _without(ours, "input_tool_tokens")


DIFFERENCES = (
    Difference(
        "no rate",
        "LiteLLM says 0 where the list has no rate for what was used; we say unpriced",
        _is_unpriced,
        _nothing,
    ),
    Difference(
        "steps, empty prompt",
        "no step of tiered_pricing covers 0 tokens, so LiteLLM says 0; we bill the answer at the "
        "first step",
        _is_empty_tiered,
        _nothing,
    ),
    Difference(
        "perplexity is flat",
        "LiteLLM knows no cache rates and no brackets of perplexity, the list has them; "
        "and it takes perplexity/perplexity/sonar for perplexity/sonar, another model",
        _is_perplexity,
        _flat_perplexity,
    ),
    Difference(
        "perplexity tells its cost",
        "LiteLLM takes it for the price; we keep it beside the price, as evidence",
        _is_told_cost,
        _told_cost,
    ),
    Difference(
        "cohere's tokens",
        "LiteLLM bills all tokens, prompt template included; Cohere bills `billed_units`",
        _is_cohere,
        _cohere_tokens,
    ),
    Difference(
        "a total alone",
        "LiteLLM bills nothing for embeddings that tell their total alone",
        _is_total_alone,
        _nothing,
    ),
    Difference(
        "gemini's cached audio",
        "LiteLLM drops what the cache details say of modalities; the list prices cached audio",
        _is_cached_sound,
        _sound_as_text,
    ),
    Difference(
        "an advisor's tokens",
        "LiteLLM bills them at the model that answered; they belong to another, and are named in "
        "unpriced_meters",
        _is_advised,
        _at_one_model,
    ),
    Difference(
        "parts above their whole",
        "LiteLLM bills cached or reasoning tokens beyond the total that they are a part of; we cut "
        "them off and flag usage_mismatch",
        _is_more_than_whole,
        _parts_as_told,
    ),
    Difference(
        "fireworks has no tiers",
        "LiteLLM's function for fireworks is told no tier; the list has their rates",
        _is_fireworks_tier,
        _standard_fireworks,
    ),
    Difference(
        "audio input has no tiers",
        "LiteLLM 1.106 drops the field between its table and its function",
        _is_dropped_audio_tier,
        _standard_audio,
    ),
    Difference(
        "azure/mistral-large-latest in batches",
        "LiteLLM takes the model for one of OpenAI's, which is not in its list, and says 0",
        _is_rerouted,
        _nothing,
    ),
    Difference(
        "free cache in batches",
        "without a published cache rate LiteLLM bills cached tokens of a batch at 0; we bill them "
        "at half of the input rate, as outside of batches",
        _is_halved_cache,
        _free_cache,
    ),
    Difference(
        "gemini tool prompts are free",
        "LiteLLM adds them to the prompt, and then prices its parts by modality alone",
        _is_gemini_tool,
        _free_tool,
    ),
)
