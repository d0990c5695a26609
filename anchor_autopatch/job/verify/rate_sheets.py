"""Rate sheets: every unit price in the warehouse is what the published fields beside it say."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, cast

from anchor_autopatch.job.rates.card import RATE_COLUMNS, build_sheet
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.verify.link import Link

if TYPE_CHECKING:
    import duckdb

    from anchor_autopatch.job.rates.card.fields import Entry

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")
_KEY = ("rate_sheet_id", "fields")
_SELECTORS = (
    "tier",
    "modifier",
    "off_peak",
    "above_tokens",
    "upto_tokens",
    "units_with_tokens",
    "search_per_prompt",
)


def check_rate_sheets(con: duckdb.DuckDBPyConnection) -> Link:
    """Works the rates of every sheet out anew from its fields and compares them, digit by digit."""
    found = con.execute(load("verify")["rate_sheets"])
    expected = (*_KEY, *_SELECTORS, *(f"{column}_usd" for column in (*RATE_COLUMNS, "rare")))
    columns = tuple(column[0] for column in found.description)
    if columns != expected:
        return Link("rate sheets", "", (f"table rate has the columns {columns}, not {expected}",))
    count, faults = 0, []
    for (sheet_id, fields), rows in groupby(found.fetchall(), key=lambda row: row[:2]):
        count += 1
        if not _agree(fields, [row[2:] for row in rows]):
            faults.append(f"rate sheet {sheet_id}: its rates are not those of its fields")
    return Link("rate sheets", f"{count} rate sheets price what was published", tuple(faults))


def _agree(fields: str, held: list[tuple[object, ...]]) -> bool:
    entry = cast("Entry", _with_numbers(json.loads(fields)))
    # The fields do not say whether a contract wrote them, which prices images beside tokens.
    return any(
        sorted(map(repr, held)) == sorted(map(repr, _rates(entry, units_with_tokens)))
        for units_with_tokens in (False, True)
    )


def _with_numbers(value: object) -> object:
    """The fields as they were parsed: exact numbers are kept as texts, digits as published."""
    if isinstance(value, dict):
        return {name: _with_numbers(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_numbers(part) for part in value]
    return Decimal(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _rates(entry: Entry, units_with_tokens: bool) -> list[tuple[object, ...]]:
    sheet = build_sheet(entry, units_with_tokens=units_with_tokens)
    return [(*row[2:-2], *row.rates, row.rare) for row in sheet.rows]
