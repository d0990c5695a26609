"""Quantities that few calls have, by the name of their meter; priced where a card has a rate.

A meter here needs no column in the warehouse. Sources: botocore 1.44.5 (GuardrailUsage,
InvokeGuardrailChecks), fine-tuning jobs of openai 3.54.0, Gemini's context caching guide, usage
objects of Perplexity, Mistral, Cohere and xAI, Groq's compound systems, read 2026-11.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from anchor_autopatch.job.meters import anthropic, xai
from anchor_autopatch.job.meters.fields import HIGHEST_COUNT, count, part, parts, text
from anchor_autopatch.job.rates.card.units import snake_case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anchor_autopatch.job.meters.fields import Json

GUARDRAIL = "bedrock.guardrail"
_GUARDRAILS_MODEL = "guardrails"
"""All policies of Bedrock's guardrails stand in one entry of the price list."""
_TRAINED = "openai.fine_tuning"
_CACHE = "gemini.cached_content"
WITHOUT_TOKENS: Final = frozenset((GUARDRAIL, _TRAINED))
"""Shapes of usage whose calls bill no token that a model read or wrote for the application."""
_SECONDS = re.compile(r"(\d{1,9})(?:\.\d+)?s", re.ASCII)
_HOUR: Final = 3600


def rare_meters(shape: str | None, usage: Json, facts: Json) -> dict[str, int] | None:
    """Meter -> quantity above 0, in the order of their names; None when there is none."""
    found = dict(sorted(pair for pair in _found(shape, usage, facts) if pair[1] > 0))
    return {name: number for name, number in found.items() if number < HIGHEST_COUNT} or None


def _found(shape: str | None, usage: Json, facts: Json) -> Iterator[tuple[str, int]]:
    if shape == GUARDRAIL:
        yield from _guardrail_units("guardrail", usage)
    if shape == _CACHE:
        yield "cache_storage_token_seconds", _stored_token_seconds(usage, facts)
    if shape == "anthropic.messages":
        yield "other_model_tokens", anthropic.advisor_tokens(usage)
    elif shape is None:
        yield "other_model_tokens", _tokens_by_model(usage)
    else:
        yield "other_model_tokens", _tool_tokens(facts)
    yield "training_tokens", count(usage, "trained_tokens") or 0
    yield "citation_tokens", count(usage, "citation_tokens") or 0
    yield "annotated_pages", count(part(usage, "usage_info"), "pages_processed_annotation") or 0
    yield "classifications", count(part(usage, "billed_units"), "classifications") or 0
    yield "connector_calls", _sum(part(usage, "connectors"))
    yield "code_executions", xai.code_executions(usage) or 0
    yield "code_interpreter_calls", count(facts, "code_interpreter_calls") or 0


def _guardrail_units(prefix: str, usage: Json) -> Iterator[tuple[str, int]]:
    """Text units of each policy; the newer operation nests them: contentFilter.textUnits."""
    for name, value in usage.items():
        meter = f"{prefix}_{snake_case(name)}"
        if isinstance(value, Mapping):
            yield from _guardrail_units(meter, value)
        elif name.lower().endswith("units"):
            # A number of policies stands beside them, and is not what is billed.
            yield meter, count(usage, name) or 0


def _stored_token_seconds(usage: Json, facts: Json) -> int:
    """Tokens x seconds that a cache was made for; one hour where nobody asked for another time.

    A cache that is deleted sooner or prolonged later was stored for another time than this.
    """
    stored = count(usage, "totalTokenCount", "total_token_count") or 0
    return stored * (_lifetime(facts) or _HOUR)


def _lifetime(facts: Json) -> int | None:
    made, ends = _instant(facts, "createTime"), _instant(facts, "expireTime")
    if made is not None and ends is not None:
        return max(round((ends - made).total_seconds()), 0)
    asked = _SECONDS.fullmatch(text(facts, "ttl") or "")
    return int(asked[1]) if asked else None


def _instant(facts: Json, name: str) -> datetime | None:
    try:
        found = datetime.fromisoformat((text(facts, name) or "").upper())
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _tool_tokens(facts: Json) -> int:
    """Tokens of a tool that is a model itself: pictures inside a response, vector drawings."""
    drawn = (part(part(facts, "tool_usage"), "image_gen"), part(facts, "svg_usage"))
    sides = ("input_tokens", "output_tokens")
    return sum(count(usage, side) or 0 for usage in drawn for side in sides)


def _tokens_by_model(usage: Json) -> int:
    """Tokens of a call that asked several models and tells of each, such as a grading."""
    return sum(count(part(usage, model), "total_tokens") or 0 for model in usage)


def _sum(counts: Json) -> int:
    return sum(count(counts, name) or 0 for name in counts)


def served_model(shape: str | None, facts: Json) -> str | None:
    """The name under which a call is priced, where that is another one than the answer's model."""
    if shape == GUARDRAIL:
        return _GUARDRAILS_MODEL
    models = {text(one, "model") for one in parts(_breakdown(facts), "models")}
    # Several models behind one answer have no common price: it stays that of the system's name.
    return models.pop() if len(models) == 1 else None


def breakdown_agrees(usage: Json, facts: Json) -> bool:
    """Whether the models of a compound system sum to the usage beside them; True without any."""
    listed = [part(one, "usage") for one in parts(_breakdown(facts), "models")]
    sides = ("prompt_tokens", "completion_tokens")
    return not listed or all(
        sum(count(one, side) or 0 for one in listed) == (count(usage, side) or 0) for side in sides
    )


def _breakdown(facts: Json) -> Json:
    found = facts.get("usage_breakdown")
    if isinstance(found, str):
        try:
            found = json.loads(found, parse_float=Decimal)
        except (ValueError, RecursionError):
            return {}
    return found if isinstance(found, Mapping) else {}
