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


def find_prices(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """One line for each frozen period whose receipts would now cost another amount."""
    for period, found in groupby(proposals(con), key=lambda proposal: proposal.period):
        changes = list(found)
        total = sum(change.difference_usd for change in changes)
        calls = sum(change.receipt_count for change in changes)
        yield (
            f"{period} is frozen; by rates learnt since, {calls} of its receipts would differ by "
            f"{total:+.2f} USD (most: {changes[0].provider} {changes[0].model_key!r}). Nothing was "
            "changed; see anchor prices diff, and anchor close correct if it matters"
        )
