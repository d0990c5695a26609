"""Rates per token of one model: by tier, context bracket, batch and time of day.

A bracket is a cliff: a prompt above the threshold bills the whole call at the higher rate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from anchor_autopatch.job.rates.card.fields import Entry, number

Rate: TypeAlias = Decimal | None
Rates: TypeAlias = dict[str, Rate]

STANDARD = "standard"
BATCH = "batch"
TIERS = ("flex", "balanced", "priority", "ultrafast")

_INPUT = "input_cost_per_token"
_OUTPUT = "output_cost_per_token"
_READ = "cache_read_input_token_cost"
_WRITE = "cache_creation_input_token_cost"
_BASES = (_INPUT, _OUTPUT, _READ, _WRITE)
_THRESHOLD = re.compile(
    rf"(?:{'|'.join(_BASES)})(?:_above_\d+hr)?_above_(\d+)(k?)_tokens(?:_(\w+))?"
)
_INCLUSIVE_PROVIDERS = frozenset(("xai",))
_HALF = Decimal("0.5")


class Base(NamedTuple):
    """The rates that brackets, tiers and off-peak hours decide; the others fall back to them."""

    input: Rate
    output: Rate
    cache_read: Rate
    cache_write: Rate
    cache_write_1h: Rate
    cache_write_12h: Rate


class Bracket(NamedTuple):
    """Applies when above < prompt_tokens <= upto."""

    above: int
    upto: int


def thresholds(fields: Entry, tier: str) -> list[tuple[int, str]]:
    """(first token count of the higher bracket - 1, its spelling), ascending, of one tier."""
    found: dict[int, str] = {}
    for name in fields:
        match = _THRESHOLD.fullmatch(name)
        if match and match[3] in (None, tier):
            limit = int(match[1]) * (1000 if match[2] else 1)
            # xAI bills the higher bracket from the threshold on, all others above it.
            inclusive = fields.get("litellm_provider") in _INCLUSIVE_PROVIDERS
            found[limit - 1 if inclusive else limit] = f"{match[1]}{match[2]}"
    return sorted(found.items())


def base_rates(fields: Entry, tier: str, crossed: list[str]) -> Base:
    """The base rates of a tier once the prompt has crossed these thresholds, before fallbacks."""
    suffix = "" if tier == STANDARD else f"_{tier}"

    def read(name: str) -> Rate:
        tiered = number(fields.get(f"{name}{suffix}"))
        return number(fields.get(name)) if tiered is None else tiered

    def bracketed(name: str, start: Rate) -> Rate:
        value = start
        for limit in crossed:
            above = read(f"{name}_above_{limit}_tokens")
            value = value if above is None else above
        return value

    output = read(_OUTPUT)
    if not output:
        # Image models often price output by image token alone.
        output = _first(number(fields.get("output_cost_per_image_token")), output)
    return Base(
        input=bracketed(_INPUT, read(_INPUT)),
        output=bracketed(_OUTPUT, output),
        cache_read=bracketed(_READ, _first(read(_READ), _assumed_cache_read(fields))),
        cache_write=bracketed(_WRITE, read(_WRITE)),
        cache_write_1h=bracketed(f"{_WRITE}_above_1hr", number(fields.get(f"{_WRITE}_above_1hr"))),
        cache_write_12h=bracketed(
            f"{_WRITE}_above_12hr", number(fields.get(f"{_WRITE}_above_12hr"))
        ),
    )


def off_peak_rates(block: Entry, base: Base) -> Base:
    """Base rates inside an off-peak window: they replace, bracketed or not; a missing one stays."""
    return base._replace(
        input=_first(number(block.get(_INPUT)), base.input),
        output=_first(number(block.get(_OUTPUT)), base.output),
        cache_read=_first(number(block.get(_READ)), base.cache_read),
        cache_write=_first(number(block.get(_WRITE)), base.cache_write),
    )


def token_rates(fields: Entry, tier: str, base: Base, reasoning: Rate) -> Rates:
    """Every token meter's rate; those that the model does not name fall back to its base rates."""
    suffix = "" if tier == STANDARD else f"_{tier}"

    def read(name: str, fallback: Rate) -> Rate:
        tiered = number(fields.get(f"{name}{suffix}"))
        return _first(tiered, number(fields.get(name)), fallback)

    cache_read = _first(base.cache_read, base.input)
    cache_write = _first(base.cache_write, base.input)
    return {
        "input_tokens": base.input,
        "input_audio_tokens": read("input_cost_per_audio_token", base.input),
        "input_image_tokens": read("input_cost_per_image_token", base.input),
        "input_video_tokens": read("input_cost_per_video_token", base.input),
        "input_tool_tokens": base.input,
        "cache_read_tokens": cache_read,
        "cache_read_audio_tokens": read("cache_read_input_audio_token_cost", cache_read),
        "cache_write_5m_tokens": cache_write,
        "cache_write_30m_tokens": cache_write,
        "cache_write_1h_tokens": _first(base.cache_write_1h, cache_write),
        "cache_write_12h_tokens": _first(base.cache_write_12h, cache_write),
        "cache_write_tokens": cache_write,
        "output_tokens": base.output,
        "output_reasoning_tokens": reasoning,
        **{
            f"output_{kind}_tokens": _first(
                number(fields.get(f"output_cost_per_{kind}_token")), base.output
            )
            for kind in ("audio", "image", "video")
        },
    }


def reasoning_rate(fields: Entry, tier: str, base: Base) -> Rate:
    """The tier's own reasoning rate, else its output rate, else the standard reasoning rate."""
    name = "output_cost_per_reasoning_token"
    if tier != STANDARD:
        own = number(fields.get(f"{name}_{tier}"))
        if own is not None:
            return own
        if fields.get(f"{_OUTPUT}_{tier}") is not None:
            return base.output
    return _first(number(fields.get(name)), base.output)


def tiered_rates(fields: Entry, step: Entry) -> Rates:
    """One step of `tiered_pricing`: it states input, output and cache rates for the whole call."""
    base = Base(
        input=number(step.get(_INPUT)),
        output=_first(number(step.get(_OUTPUT)), number(fields.get(_OUTPUT))),
        cache_read=number(step.get(_READ)),
        cache_write=number(step.get(_WRITE)),
        cache_write_1h=number(step.get(f"{_WRITE}_above_1hr")),
        cache_write_12h=None,
    )
    reasoning = _first(
        number(step.get("output_cost_per_reasoning_token")),
        number(step.get(_OUTPUT)),
        number(fields.get("output_cost_per_reasoning_token")),
        base.output,
    )
    return token_rates(fields, STANDARD, base, reasoning)


def batch_rates(fields: Entry, crossed: list[str]) -> Rates:
    """Batch: the published batch rates, else half of the standard ones, brackets aside.

    With a batch rate for input and none for cached tokens, those bill as ordinary batch input. One
    lifetime of cache writes only, as LiteLLM has it.
    """

    def batch(name: str) -> Rate:
        above = [number(fields.get(f"{name}_above_{limit}_tokens_batches")) for limit in crossed]
        return _first(*reversed(above), number(fields.get(f"{name}_batches")))

    standard = base_rates(fields, STANDARD, [])
    priced = batch(_INPUT)
    text = _first(priced, _half(standard.input))
    if priced is None:
        read = _half(_first(standard.cache_read, standard.input))
        write = _half(_first(standard.cache_write or None, standard.input))
    else:
        read = _first(batch(_READ), text)
        write = _first(batch(_WRITE), text)
    output = _first(batch(_OUTPUT), _half(number(fields.get(_OUTPUT))))
    image = _first(
        number(fields.get("output_cost_per_image_token_batches")),
        _half(number(fields.get("output_cost_per_image_token"))),
        output,
    )
    flat = Base(text, output, read, write, write, write)
    rates = token_rates({}, STANDARD, flat, output)
    inputs = {
        f"input_{kind}_tokens": _first(
            number(fields.get(f"input_cost_per_{kind}_token_batches"))
            if priced is not None
            else None,
            text,
        )
        for kind in ("audio", "image", "video")
    }
    return {**rates, **inputs, "output_image_tokens": image}


def multiplied(rates: Mapping[str, Rate], factor: Decimal) -> Rates:
    """The rates times a surcharge, exactly."""
    return {name: None if value is None else value * factor for name, value in rates.items()}


def _assumed_cache_read(fields: Entry) -> Rate:
    # Fireworks publishes no cache rate for many models and bills half of the input rate.
    if fields.get("litellm_provider") != "fireworks_ai":
        return None
    return _half(number(fields.get(_INPUT)))


def _half(value: Rate) -> Rate:
    return None if value is None else value * _HALF


def _first(*values: Rate) -> Rate:
    return next((value for value in values if value is not None), None)
