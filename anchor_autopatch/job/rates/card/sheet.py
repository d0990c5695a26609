"""One model's rate sheet: the wide rows that pricing joins to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import product
from typing import Final, NamedTuple
from uuid import UUID

from anchor_autopatch.job.rates.card.fields import (
    EMPTY,
    RATE_SCALE,
    Entry,
    canonical,
    cost_fields,
    number,
    raw_text,
    sheet_id,
)
from anchor_autopatch.job.rates.card.off_peak import week_minutes
from anchor_autopatch.job.rates.card.tokens import (
    BATCH,
    STANDARD,
    TIERS,
    Bracket,
    Rate,
    Rates,
    base_rates,
    batch_rates,
    multiplied,
    off_peak_rates,
    reasoning_rate,
    thresholds,
    tiered_rates,
    token_rates,
)
from anchor_autopatch.job.rates.card.units import prices_tokens, rare_rates, unit_rates

CARD_VERSION: Final = 2
"""Raised whenever the same fields would give other rates. Sheets of older versions stay, for the
prices that were made with them; segments move on to new ones (`rates.renewal`)."""
OPEN_BRACKET: Final = 2**62
"""Upper end of the last bracket: more tokens than any prompt has."""
_BELOW_ALL = -1
_ONE = Decimal(1)
_LIMIT = Decimal(100)
"""DECIMAL(20,18) holds less than 100 USD per unit."""

_TOKEN_COLUMNS = tuple(token_rates(EMPTY, STANDARD, base_rates(EMPTY, STANDARD, []), None))
_UNIT_COLUMNS = tuple(unit_rates(EMPTY, batch=False))
RATE_COLUMNS: Final = (*_TOKEN_COLUMNS, *_UNIT_COLUMNS)
"""Meters that have a rate, in the column order of the table `rate` (each with `_usd`)."""


class RateRow(NamedTuple):
    """One row of the table `rate`."""

    rate_id: int
    rate_sheet_id: UUID
    tier: str
    modifier: str
    off_peak: bool
    above_tokens: int
    upto_tokens: int
    units_with_tokens: bool
    search_per_prompt: bool
    rates: tuple[Rate, ...]
    """In the order of RATE_COLUMNS."""
    rare: dict[str, Decimal] | None
    """Meter -> rate, for the meters that few models have."""


class RateSheet(NamedTuple):
    """All rates of one model as one card states them."""

    rate_sheet_id: UUID
    provider: str
    fields: str
    """JSON, digits as published."""
    tiers: list[str]
    modifiers: list[str]
    off_peak_minutes: str | None
    card_version: int
    units_with_tokens: bool
    """A contract's choice, kept so that the sheet can be built again from its fields."""
    rows: list[RateRow]


class _Priced(NamedTuple):
    tier: str
    off_peak: bool
    bracket: Bracket
    rates: Rates


def sheet_identity(entry: Entry, *, units_with_tokens: bool = False) -> UUID:
    """The id of the sheet that `build_sheet` would make: equal for equal prices."""
    text = f"{canonical(cost_fields(entry))}{units_with_tokens:d}v{CARD_VERSION}"
    return sheet_id(text)


def build_sheet(entry: Entry, *, units_with_tokens: bool = False) -> RateSheet:
    """The sheet of one model.

    Args:
        entry: its fields, as LiteLLM names them, numbers exact.
        units_with_tokens: a contract that prices images prices them also where tokens are reported;
            a price list does so only for models that it does not price by token.
    """
    fields = cost_fields(entry)
    identity = sheet_identity(entry, units_with_tokens=units_with_tokens)
    factors = _surcharges(fields)
    units = {tier: _units(fields, tier) for tier in (STANDARD, BATCH)}
    both = units_with_tokens or not prices_tokens(fields)
    per_prompt = fields.get("web_search_billing_unit", "per_prompt") == "per_prompt" and _is_google(
        fields
    )
    rows = [
        _row(
            identity,
            priced,
            modifier,
            (both, per_prompt),
            {**multiplied(priced.rates, factor), **units.get(priced.tier, units[STANDARD])[0]},
        )._replace(rare=units.get(priced.tier, units[STANDARD])[1])
        for priced in _priced(fields)
        for modifier, factor in _combined(factors, priced.tier)
    ]
    block = _off_peak_block(fields)
    return RateSheet(
        identity,
        str(fields.get("litellm_provider", "")),
        raw_text(fields),
        _tiers(fields),
        sorted(factors),
        week_minutes(block) if block else None,
        CARD_VERSION,
        units_with_tokens,
        rows,
    )


def _priced(fields: Entry) -> Iterator[_Priced]:
    steps = _steps(fields)
    if steps:
        # A table of steps replaces tiers and brackets.
        yield from _with_off_peak_steps(fields, steps)
    else:
        for tier in (STANDARD, *_own_tiers(fields)):
            yield from _tier(fields, tier)
    for bracket, crossed in _brackets(fields, "batches"):
        yield _Priced(BATCH, False, bracket, batch_rates(fields, crossed))


def _tier(fields: Entry, tier: str) -> Iterator[_Priced]:
    block = _off_peak_block(fields)
    for bracket, crossed in _brackets(fields, tier):
        base = base_rates(fields, tier, crossed)
        reasoning = reasoning_rate(fields, tier, base)
        yield _Priced(tier, False, bracket, token_rates(fields, tier, base, reasoning))
        if block:
            cheaper = off_peak_rates(block, base)
            reasoning = _off_peak_reasoning(block, reasoning_rate(fields, tier, cheaper))
            yield _Priced(tier, True, bracket, token_rates(fields, tier, cheaper, reasoning))


def _with_off_peak_steps(fields: Entry, steps: list[tuple[Bracket, Entry]]) -> Iterator[_Priced]:
    block = _off_peak_block(fields)
    for bracket, step in steps:
        yield _Priced(STANDARD, False, bracket, tiered_rates(fields, step))
        if block:
            yield _Priced(STANDARD, True, bracket, tiered_rates(fields, {**step, **block}))


def _off_peak_reasoning(block: Entry, standard: Rate) -> Rate:
    own = number(block.get("output_cost_per_reasoning_token"))
    return standard if own is None else own


def _brackets(fields: Entry, tier: str) -> list[tuple[Bracket, list[str]]]:
    limits = thresholds(fields, tier)
    starts = [_BELOW_ALL, *(limit for limit, _ in limits)]
    ends = [*(limit for limit, _ in limits), OPEN_BRACKET]
    spelled = [spelling for _, spelling in limits]
    return [
        (Bracket(above, upto), spelled[:index])
        for index, (above, upto) in enumerate(zip(starts, ends, strict=True))
    ]


def _steps(fields: Entry) -> list[tuple[Bracket, Entry]]:
    """`tiered_pricing` as brackets without gaps: the first and the last are open."""
    steps = [
        (int(step["range"][0]), step)
        for step in fields.get("tiered_pricing") or ()
        if step.get("range") and step.get("input_cost_per_token") is not None
    ]
    steps.sort(key=lambda step: step[0])
    ends = [start for start, _ in steps[1:]] + [OPEN_BRACKET]
    return [
        (Bracket(start if index else _BELOW_ALL, end), step)
        for index, ((start, step), end) in enumerate(zip(steps, ends, strict=False))
    ]


def _tiers(fields: Entry) -> list[str]:
    return [BATCH] if _steps(fields) else [BATCH, *_own_tiers(fields)]


def _own_tiers(fields: Entry) -> list[str]:
    return [tier for tier in TIERS if any(name.endswith(f"_{tier}") for name in fields)]


def _off_peak_block(fields: Entry) -> Entry:
    block = fields.get("off_peak_pricing")
    return block if isinstance(block, dict) else EMPTY


def _surcharges(fields: Entry) -> dict[str, Decimal]:
    """Surcharge -> factor: Anthropic's speed and inference place, OpenAI's and Vertex's region."""
    found: dict[str, Rate] = {}
    special = fields.get("provider_specific_entry")
    if fields.get("litellm_provider") == "anthropic" and isinstance(special, dict):
        found["fast"] = number(special.get("fast"))
        found |= {f"geo:{name}": number(special[name]) for name in special if name != "fast"}
    for region in ("us", "eu"):
        found[f"region:{region}"] = number(
            fields.get(f"regional_processing_uplift_multiplier_{region}")
        )
    found["region:*"] = number(fields.get("regional_endpoint_uplift_multiplier"))
    return {name: factor for name, factor in found.items() if factor is not None and factor != _ONE}


def _combined(factors: dict[str, Decimal], tier: str) -> Iterator[tuple[str, Decimal]]:
    """Every combination of surcharges that a call can meet, with its factor; none first."""
    kinds: dict[str, list[tuple[str, Decimal]]] = {"fast": [], "geo": [], "region": []}
    for name in sorted(factors):
        kind = name.partition(":")[0]
        if kind == "region" or tier != BATCH:
            # LiteLLM applies neither speed nor inference place to batches.
            kinds[kind].append((name, factors[name]))
    for chosen in product(*([("", _ONE), *options] for options in kinds.values())):
        factor = _ONE
        for _, part in chosen:
            factor *= part
        yield "+".join(name for name, _ in chosen if name), factor


def _is_google(fields: Entry) -> bool:
    return str(fields.get("litellm_provider")).startswith(("gemini", "vertex_ai"))


def _row(
    identity: UUID, priced: _Priced, modifier: str, flags: tuple[bool, bool], rates: Rates
) -> RateRow:
    bracket = priced.bracket
    key = f"{identity}|{priced.tier}|{modifier}|{priced.off_peak}|{bracket.above}"
    digest = hashlib.sha256(key.encode()).digest()
    return RateRow(
        int.from_bytes(digest[:8], "big"),
        identity,
        priced.tier,
        modifier,
        priced.off_peak,
        bracket.above,
        bracket.upto,
        *flags,
        tuple(_stored(rates[name]) for name in RATE_COLUMNS),
        None,
    )


def _units(fields: Entry, tier: str) -> tuple[Rates, dict[str, Decimal] | None]:
    """Rates of what is no token, and of the rare meters."""
    batch = tier == BATCH
    rare = {name: _stored(value) for name, value in rare_rates(fields, batch=batch).items()}
    kept = {name: value for name, value in rare.items() if value is not None}
    return unit_rates(fields, batch=batch), kept or None


def _stored(value: Rate) -> Rate:
    # A table error of that size would price nothing sensibly: no rate is better than an overflow.
    if value is None or value >= _LIMIT:
        return None
    return value.quantize(RATE_SCALE, ROUND_HALF_EVEN)
