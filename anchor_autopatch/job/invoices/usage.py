"""Usage reports in the warehouse: evidence of what a provider counted, whole and restatable.

They carry no money. What they count beyond our receipts is the share of a bill that nobody
instrumented, which allocation carves out first as `__untracked`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.invoices.reading import UsageReport, UsageRow
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

__all__ = ("BookedUsage", "book_usage")


class BookedUsage(NamedTuple):
    """What became of one usage report of an import."""

    source: str
    operation: str
    provider: str
    account: str
    period: str
    days: int
    """Buckets of time that it speaks of."""
    rows: int
    outcome: str
    """imported | unchanged | restated."""

    @property
    def detail(self) -> str:
        """What it is, in words, after provider and period."""
        return f"usage of {self.operation}: buckets: {self.days}, rows: {self.rows}"


def book_usage(
    con: duckdb.DuckDBPyConnection, report: UsageReport, document_sha256: str, now: datetime
) -> BookedUsage:
    """Puts a report in force in the caller's transaction; booking it twice changes nothing."""
    statements = load("usage")
    starts, ends = zip(*report.days, strict=True)
    days = _scope(report) | {"starts": list(starts), "ends": list(ends)}
    in_force = con.execute(statements["buckets_in_force"], days).fetchall()
    told = sorted(map(_key, report.rows))
    if sorted(_key(UsageRow(*row)) for row in in_force) == told:
        return _booked(report, "unchanged")
    con.execute(statements["supersede_buckets"], days | {"now": now})
    con.execute(statements["insert_buckets"], _columns(report, document_sha256, now))
    sums = {"provider": report.provider, "account": report.account, "period": report.period}
    con.execute(statements["forget_evidence"], sums)
    con.execute(statements["sum_evidence"], sums)
    return _booked(report, "restated" if in_force else "imported")


def _scope(report: UsageReport) -> dict[str, object]:
    return {
        "source": report.source,
        "operation": report.operation,
        "provider": report.provider,
        "account": report.account,
    }


def _columns(report: UsageReport, document_sha256: str, now: datetime) -> dict[str, object]:
    columns = {name: [getattr(row, name) for row in report.rows] for name in UsageRow._fields}
    head = {"period": report.period, "document_sha256": document_sha256, "now": now}
    return _scope(report) | head | columns


def _key(row: UsageRow) -> tuple[object, ...]:
    # None and a text do not compare; a missing dimension is the empty one here.
    return tuple("" if value is None else value for value in row)


def _booked(report: UsageReport, outcome: str) -> BookedUsage:
    return BookedUsage(
        report.source,
        report.operation,
        report.provider,
        report.account,
        report.period,
        len(report.days),
        len(report.rows),
        outcome,
    )
