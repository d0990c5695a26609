"""Budgets as report.duckdb has them, for `anchor report`."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.relations import open_report
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ("BudgetRow", "read_budgets")


class BudgetRow(NamedTuple):
    """One budget in one month; amounts in its currency."""

    budget: str
    amount: Decimal
    currency: str
    spent: Decimal
    status: str
    """estimated | anchored | frozen: of the weakest part of `spent`."""
    spent_percent: Decimal
    burn: str | None
    forecast_p50: Decimal | None
    """Of the whole month, like the one below; None where too little is known."""
    forecast_p90: Decimal | None


def read_budgets(home: Path, period: str | None) -> list[BudgetRow]:
    """The budgets of a period, those that are nearest to their end first; [] without a period.

    Raises:
        StoreError: nothing was published yet.
    """
    if period is None:
        return []
    with open_report(home) as con:
        rows = con.execute(load("publish/report")["budgets"], {"period": period}).fetchall()
    return [BudgetRow(*row) for row in rows]
