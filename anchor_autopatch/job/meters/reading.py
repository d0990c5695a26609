"""Chooses the reader of a usage shape and adds what the price depends on beside usage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from anchor_autopatch.job.meters import anthropic, bedrock, cohere, gemini, openai, rare, xai
from anchor_autopatch.job.meters.estimate import with_estimate
from anchor_autopatch.job.meters.facts import with_facts
from anchor_autopatch.job.meters.fields import HIGHEST_COUNT, Json, count
from anchor_autopatch.job.meters.record import Meters, TokenCount, fill

METER_VERSION = 5
"""Raised whenever the same raw usage would read differently."""

_READERS: Mapping[str, Callable[[Json], TokenCount]] = MappingProxyType(
    {
        "openai.chat": openai.read_totals,
        "openai.responses": openai.read_totals,
        "openai.transcription": openai.read_totals,
        "openai.images": openai.read_images,
        "openai.realtime": openai.read_totals,
        "anthropic.messages": anthropic.read,
        "gemini.embeddings": gemini.read_embeddings,
        "gemini.interactions": gemini.read_interactions,
        "litellm.usage": openai.read_totals,
        "xai.sampling": xai.read_sampling,
        "bedrock.converse": bedrock.read_converse,
        "bedrock.titan": bedrock.read_titan,
        "bedrock.llama": bedrock.read_llama,
        "bedrock.agent": bedrock.read_agent,
        "cohere.billed_units": cohere.read,
        "gemini.predictions": gemini.read_predictions,
        "gemini.cached_content": gemini.read_cached_content,
    }
)
_NOTHING: dict[str, object] = {}


def read_meters(usage_shape: str | None, raw_usage: Json | None, price_facts: Json) -> Meters:
    """The meters of one receipt.

    Args:
        usage_shape: one of `core.records.USAGE_SHAPES`; None for calls without a usage object.
        raw_usage: the usage object; numbers with a fraction must be Decimal.
        price_facts: the host's facts beside usage: tier, sizes, counts.

    Without usage the token meters are None: unknown is not zero, unless the host counted the texts
    of the call; then they are an estimate, and `estimated_meters` says so. A shape that this
    version does not know gives the same, flagged as a mismatch.
    """
    usage = raw_usage or _NOTHING
    meters = Meters()
    if raw_usage is not None:
        counted = _count_tokens(usage_shape, usage, price_facts)
        meters = Meters(usage_mismatch=True) if counted is None else fill(counted)
        if any(isinstance(value, int) and value >= HIGHEST_COUNT for value in usage.values()):
            meters = meters._replace(usage_mismatch=True)
        if not rare.breakdown_agrees(usage, price_facts):
            meters = meters._replace(usage_mismatch=True)
    if _bills_seconds(usage) or usage_shape in rare.WITHOUT_TOKENS:
        meters = Meters()
    meters = with_estimate(meters, usage_shape, price_facts)
    return with_facts(meters, usage, price_facts)._replace(
        served_model=rare.served_model(usage_shape, price_facts),
        rare_meters=rare.rare_meters(usage_shape, usage, price_facts),
    )


def _count_tokens(shape: str | None, usage: Json, facts: Json) -> TokenCount | None:
    if shape == "gemini.generate_content":
        return gemini.read_content(usage, grounded=_is_grounded(facts))
    if shape == "bedrock.invoke":
        return bedrock.read_invoke(usage, bedrock.lifetimes_in(facts))
    reader = _READERS.get(shape or "")
    return None if reader is None else reader(usage)


def _is_grounded(facts: Json) -> bool:
    return bool(count(facts, "searches", "web_search") or count(facts, "map_queries"))


def _bills_seconds(usage: Json) -> bool:
    # OpenAI transcription of the duration kind: seconds instead of tokens.
    return "seconds" in usage and "input_tokens" not in usage and "prompt_tokens" not in usage
