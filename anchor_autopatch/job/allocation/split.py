"""Reads the split of every bill of a period from report.duckdb, as `anchor report` shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import duckdb

from anchor_autopatch.core.errors import ConfigError, StoreError
from anchor_autopatch.core.settings import REPORT_FILE
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal
    from pathlib import Path


class Share(NamedTuple):
    """One row of a split; None where nobody said or nothing is known."""

    team: str | None
    service: str | None
    environment: str | None
    response_model: str | None
    calls: int
    estimated_cost_usd: Decimal | None
    anchored_cost: Decimal | None
    """In the currency of the bill."""
    status: str
    """estimated | anchored | frozen."""


class Bill(NamedTuple):
    """One invoice of a provider, or receipts that no invoice pays for yet."""

    period: str
    provider: str
    account: str
    invoice_id: str | None
    currency: str
    invoice_total: Decimal | None
    estimated_total_usd: Decimal
    status: str
    split_sum: Decimal | None
    shares: tuple[Share, ...]

    @property
    def holds(self) -> bool:
        """Whether the split sums to the invoice exactly; True without an invoice."""
        return self.invoice_total is None or self.split_sum == self.invoice_total


class Split(NamedTuple):
    """All bills of one period."""

    period: str | None
    """None = the report holds no period at all."""
    published_at: datetime
    bills: tuple[Bill, ...]
    periods: tuple[str, ...]
    """Every period of the report, newest first."""


def read_split(home: Path, period: str | None = None) -> Split:
    """The bills of a period, of the newest one when none is named.

    Raises:
        StoreError: nothing was published yet, or the file cannot be read.
        ConfigError: the report has nothing about the period.
    """
    path = home / REPORT_FILE
    if not path.exists():
        raise StoreError(f"No report at {str(path)!r} yet; run: anchor reconcile")
    try:
        with duckdb.connect(str(path), read_only=True) as con:
            return _read(con, period)
    except duckdb.Error as error:
        reason = str(error).strip().partition("\n")[0]
        raise StoreError(f"Cannot read {str(path)!r}: {reason}; run: anchor reconcile") from error


def _read(con: duckdb.DuckDBPyConnection, period: str | None) -> Split:
    sql = load("publish/report")
    periods = tuple(found for (found,) in con.execute(sql["periods"]).fetchall())
    if period is not None and period not in periods:
        known = ", ".join(periods) or "none"
        raise ConfigError(f"Nothing is known of period {period!r}; the report has: {known}")
    published = con.execute(sql["published_at"]).fetchall()[0][0]
    chosen = period or next(iter(periods), None)
    rows = con.execute(sql["bills"], {"period": chosen}).fetchall()
    bills = tuple(Bill._make((*row, _shares(con, *row[:4]))) for row in rows)
    return Split(chosen, published, bills, periods)


def _shares(
    con: duckdb.DuckDBPyConnection, period: str, provider: str, account: str, invoice_id: str | None
) -> tuple[Share, ...]:
    key = {"period": period, "provider": provider, "account": account, "invoice_id": invoice_id}
    return tuple(map(Share._make, con.execute(load("publish/report")["split"], key).fetchall()))
