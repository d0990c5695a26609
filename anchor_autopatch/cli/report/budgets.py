"""The budgets under the bills that `anchor report` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from anchor_autopatch.cli.output import print_table

if TYPE_CHECKING:
    from decimal import Decimal

    from anchor_autopatch.job.spend.published import BudgetRow

_COLUMNS = (
    "budget",
    "amount",
    "spent",
    "status",
    "%",
    "burns",
    "forecast (est)",
    "p90 (est)",
    "currency",
)


def print_budgets(period: str, rows: Sequence[BudgetRow], badges: Mapping[str, str]) -> None:
    """Prints how each budget stands; nothing where there is none."""
    if not rows:
        return
    print_table(
        f"Budgets of {period}",
        _COLUMNS,
        (
            (
                row.budget,
                _cents(row.amount),
                _cents(row.spent),
                badges.get(row.status, row.status),
                f"{row.spent_percent:.1f}",
                row.burn,
                _cents(row.forecast_p50),
                _cents(row.forecast_p90),
                row.currency,
            )
            for row in rows
        ),
        right=("amount", "spent", "%", "forecast (est)", "p90 (est)"),
    )


def _cents(amount: Decimal | None) -> str | None:
    """Rounded: a table of budgets proves nothing, and estimates have eighteen digits."""
    return None if amount is None else f"{amount:,.2f}"
