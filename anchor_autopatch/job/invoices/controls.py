"""Grouped against ungrouped: two answers of a cost API that must name the same money.

A dimension is null both where it was not asked for and where the provider does not know it, and a
cost API may leave groups out. So the same days are fetched twice, grouped and not; the sums of each
day must agree, and the grouped answer lands.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from anchor_autopatch.job.invoices.landing import exact
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import duckdb

    from anchor_autopatch.job.invoices.landing import Invoice

__all__ = ("agreement", "disagreement", "is_ungrouped")

_TOLERANCE = Decimal("1e-6")
"""In the currency, per day: sums of floats differ in their last digits."""

_Sums = dict[tuple["datetime", "datetime"], Decimal]


def is_ungrouped(invoice: Invoice) -> bool:
    """Whether these are days of a cost API of which no line says what it charges for."""
    return invoice.days is not None and not any(
        line.description or line.model_raw or line.project or line.api_key for line in invoice.lines
    )


def disagreement(ungrouped: Invoice, grouped: Sequence[Invoice]) -> str | None:
    """What the ungrouped answer says otherwise than the grouped ones of its scope, if anything."""
    sums: _Sums = {}
    for invoice in grouped:
        sums |= _day_sums(invoice)
    for day, amount in _day_sums(ungrouped).items():
        if day not in sums:
            return (
                f"Day {day[0]:%Y-%m-%d} is in the ungrouped answer only; "
                "fetch the same days grouped and ungrouped"
            )
        if abs(sums[day] - amount) > _TOLERANCE:
            return _differ(day[0], sums[day], amount, ungrouped.currency)
    return None


def agreement(con: duckdb.DuckDBPyConnection, ungrouped: Invoice) -> tuple[bool, str | None]:
    """Whether grouped lines in force stand for all these days, and how they differ, if they do."""
    starts, ends = zip(*ungrouped.days or (), strict=True)
    rows = con.execute(
        load("invoices")["grouped_days"],
        {"invoice_id": ungrouped.invoice_id, "starts": list(starts), "ends": list(ends)},
    ).fetchall()
    sums = {(start, end): amount for start, end, amount in rows}
    told = _day_sums(ungrouped)
    for day, amount in told.items():
        if day in sums and abs(sums[day] - amount) > _TOLERANCE:
            return True, _differ(day[0], sums[day], amount, ungrouped.currency)
    charged = [day for day, amount in told.items() if amount]
    return bool(sums) and all(day in sums for day in charged), None


def _day_sums(invoice: Invoice) -> _Sums:
    sums: _Sums = dict.fromkeys(_bounds(invoice), Decimal(0))
    for line in invoice.lines:
        sums[line.period_start, line.period_end] += line.amount
    return sums


def _bounds(invoice: Invoice) -> Iterable[tuple[datetime, datetime]]:
    return invoice.days or ()


def _differ(day: datetime, grouped: Decimal, ungrouped: Decimal, currency: str) -> str:
    nano = Decimal("1e-9")
    return (
        f"Day {day:%Y-%m-%d} sums to {exact(grouped, nano).normalize():f} {currency} grouped and "
        f"{exact(ungrouped, nano).normalize():f} ungrouped; fetch both again"
    )
