"""Rate sheets: every unit price in the warehouse is what the published fields beside it say."""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

from anchor_autopatch.job.rates.card import CARD_VERSION, RATE_COLUMNS, build_sheet, parse_fields
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.verify.link import Link

if TYPE_CHECKING:
    import duckdb

    from anchor_autopatch.job.rates.card.fields import Entry

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
    found = con.execute(load("verify/sums")["rate_sheets"], {"card_version": CARD_VERSION})
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
    rates = sorted(map(repr, held))
    # The fields do not say whether a contract wrote them, which prices images beside tokens.
    return any(rates == _worked_out(fields, beside) for beside in (False, True))


# A process that verifies again works out only what is new: a price table has thousands of sheets,
# which took 2 of the 2.3 s that proving a small home did.
@lru_cache(maxsize=8192)
def _worked_out(fields: str, units_with_tokens: bool) -> list[str]:
    entry = parse_fields(fields)
    return sorted(map(repr, _rates(entry, units_with_tokens)))


def _rates(entry: Entry, units_with_tokens: bool) -> list[tuple[object, ...]]:
    sheet = build_sheet(entry, units_with_tokens=units_with_tokens)
    return [(*row[2:-2], *row.rates, row.rare) for row in sheet.rows]
