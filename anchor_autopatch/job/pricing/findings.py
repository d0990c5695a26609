"""What of prices needs a person: what new rates would change in months that are closed."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from decimal import Decimal

    import duckdb


class Proposal(NamedTuple):
    """What the receipts of one model in a frozen period would cost by what is known now; USD."""

    period: str
    provider: str
    model_key: str | None
    """None = still without a rate."""
    receipt_count: int
    frozen_usd: Decimal
    proposed_usd: Decimal
    noticed_at: datetime

    @property
    def difference_usd(self) -> Decimal:
        """Positive = the frozen price was too low."""
        return self.proposed_usd - self.frozen_usd


def proposals(con: duckdb.DuckDBPyConnection) -> list[Proposal]:
    """Every difference in frozen periods, by period, the largest first."""
    return [
        Proposal(*row) for row in con.execute(load("pricing/prices")["list_proposals"]).fetchall()
    ]


def repriced_periods(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Frozen period -> how many of its receipts would now cost another amount."""
    return dict(con.execute(load("pricing/prices")["repriced_periods"]).fetchall())


def assume_proposals(con: duckdb.DuckDBPyConnection, period: str) -> None:
    """Puts what is known now in place of the frozen prices of a period.

    Only for a calculation: it belongs into a transaction that the caller rolls back.
    """
    con.execute(load("pricing/prices")["assume_proposals"], {"period": period})


def find_prices(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """One line for each frozen period whose receipts would now cost another amount.

    Not of those of which the close has proposed a correction: that has a finding of its own while
    it waits, and was decided after.
    """
    rows = con.execute(load("pricing/prices")["corrected_periods"]).fetchall()
    corrected = {period for (period,) in rows}
    for period, found in groupby(proposals(con), key=lambda proposal: proposal.period):
        if period in corrected:
            continue
        changes = list(found)
        total = sum(change.difference_usd for change in changes)
        calls = sum(change.receipt_count for change in changes)
        yield (
            f"{period} is frozen; by rates learnt since, {calls} of its receipts would differ by "
            f"{total:+.2f} USD (most: {changes[0].provider} {changes[0].model_key!r}). Nothing was "
            "changed, and no invoice would be split otherwise; see anchor prices diff"
        )
