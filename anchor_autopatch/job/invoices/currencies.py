"""ISO 4217 currencies and their minor units, from the table beside this module (read 2026-11)."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

__all__ = ("minor_units",)


def minor_units(code: str) -> int | None:
    """Decimals of a currency, 2 for USD and 0 for JPY; None when ISO 4217 does not have it."""
    return _table().get(code)


@cache
def _table() -> dict[str, int]:
    text = files("anchor_autopatch.job.invoices").joinpath("currencies.csv").read_text("ascii")
    return {row["code"]: int(row["minor_units"]) for row in csv.DictReader(text.splitlines())}
