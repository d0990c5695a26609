"""Looks up what prices a model: its segments, and the rates of the one that is current."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.hosts import UNMAPPED, provider_of_model
from anchor_autopatch.job.pricing import read_catalogue
from anchor_autopatch.job.pricing.model_keys import Names, contract_key, resolve
from anchor_autopatch.job.rates.card import RATE_COLUMNS, build_sheet, parse_fields
from anchor_autopatch.job.rates.card.fields import number
from anchor_autopatch.job.rates.overlay import agreed_sheet
from anchor_autopatch.job.rates.units import told_price
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from decimal import Decimal

    import duckdb

    from anchor_autopatch.job.pricing.model_keys import Catalogue, Resolution
    from anchor_autopatch.job.rates.card import RateRow


class ShownSegment(NamedTuple):
    """One span of time in which one sheet prices the model."""

    source: str
    valid_from: datetime
    valid_to: datetime
    provenance: str
    rate_card_id: str
    card_source: str
    source_version: str
    reason: str | None
    actor: str | None
    summary: str
    """The published input, output and unit rates in USD, each with its unit."""


class ShownRate(NamedTuple):
    """One rate of the current sheet; USD per unit."""

    tier: str
    modifier: str
    off_peak: bool
    above_tokens: int
    upto_tokens: int
    meter: str
    unit_price_usd: Decimal


class ShownModel(NamedTuple):
    """A model, the rule that found it, its segments (contracts first), and its current rates."""

    model_key: str
    rule: str
    segments: list[ShownSegment]
    rates: list[ShownRate]


def look_up(
    con: duckdb.DuckDBPyConnection, model: str, provider: str | None, models: Mapping[str, str]
) -> ShownModel:
    """What prices a model that `provider` invoices; None derives the provider from the name.

    `models` are names of one's own -> models.

    Raises:
        ConfigError: no card and no contract has the model.
    """
    catalogue = read_catalogue(con, models)
    found = _resolve(catalogue, model, provider)
    if found.model_key is None and found.contract is None:
        raise ConfigError(_explain_unknown(catalogue, model))
    contract = found.contract[0] if found.contract else contract_key(model)
    keys = {"model_key": found.model_key or "", "contract_key": contract}
    rows = con.execute(load("pricing/rates")["show_segments"], keys).fetchall()
    segments = [_segment(row) for row in rows]
    return ShownModel(found.model_key or contract, found.rule, segments, _current_rates(rows))


def _resolve(catalogue: Catalogue, model: str, provider: str | None) -> Resolution:
    asked = [provider] if provider else [UNMAPPED, provider_of_model(model)]
    found = [resolve(Names(name, model, "", ""), catalogue) for name in asked]
    return next((each for each in found if each.model_key or each.contract), found[0])


def _explain_unknown(catalogue: Catalogue, model: str) -> str:
    if not catalogue.keys:
        return f"No price list yet, so none has {model!r}; run: anchor prices sync"
    near = difflib.get_close_matches(model, catalogue.keys, n=3)
    hint = f"; close: {', '.join(near)}" if near else "; add --provider, or anchor prices set"
    return f"No card has the model {model!r}{hint}"


def _segment(row: tuple[Any, ...]) -> ShownSegment:
    source, _provider, *known, _units_with_tokens, fields = row
    return ShownSegment._make((source, *known, _summary(json.loads(fields))))


def _current_rates(rows: list[tuple[Any, ...]]) -> list[ShownRate]:
    """Rates of the newest contract over the newest list, as pricing lays them."""
    # The latest of each source comes last.
    newest = {row[0]: row[-2:] for row in rows}
    listed = newest.get("list", (None, None))[1]
    if "contract" in newest:
        units_with_tokens, agreed = newest["contract"]
        sheet = agreed_sheet(agreed, listed, units_with_tokens=bool(units_with_tokens))
    else:
        sheet = build_sheet(parse_fields(listed))
    return sorted(
        (rate for row in sheet.rows for rate in _rates_of(row)),
        key=lambda rate: (rate.tier != "standard", *rate),
    )


def _rates_of(row: RateRow) -> Iterator[ShownRate]:
    selected = (row.tier, row.modifier, row.off_peak, row.above_tokens, row.upto_tokens)
    named = (*zip(RATE_COLUMNS, row.rates, strict=True), *(row.rare or {}).items())
    for meter, usd in named:
        if usd is not None:
            yield ShownRate(*selected, meter, usd)


def _summary(fields: dict[str, object]) -> str:
    told = []
    for label, name, meter in _SUMMARY:
        # Fields hold the published digits as text; a table of steps has rates of its own.
        usd = number(fields.get(name))
        if usd is not None:
            told.append(f"{label} {told_price(meter, usd)}")
    return ", ".join(told)


_SUMMARY = (
    ("in", "input_cost_per_token", "input_tokens"),
    ("out", "output_cost_per_token", "output_tokens"),
    ("image", "output_cost_per_image", "images"),
    ("second", "input_cost_per_second", "audio_in_seconds"),
    ("character", "input_cost_per_character", "characters"),
)
