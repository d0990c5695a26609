"""Proves the whole chain again, link by link: outboxes, warehouse, archive, prices, bills, report.

Nothing is taken from what earlier runs noted: checksums, digests and sums are worked out anew from
the rows themselves. Nothing is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.job.sql import load
from anchor_autopatch.job.verify.alerts import check_alerts
from anchor_autopatch.job.verify.archives import check_archive
from anchor_autopatch.job.verify.closing import check_closed, check_ledger
from anchor_autopatch.job.verify.corrections import check_corrections
from anchor_autopatch.job.verify.documents import check_documents
from anchor_autopatch.job.verify.link import Link, VerifyReport
from anchor_autopatch.job.verify.outboxes import check_outboxes
from anchor_autopatch.job.verify.rate_sheets import check_rate_sheets
from anchor_autopatch.job.verify.shipments import check_shipments
from anchor_autopatch.job.verify.sums import (
    check_invoices,
    check_meters,
    check_prices,
    check_report,
    check_split,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import duckdb

__all__ = ("STEPS", "Link", "VerifyReport", "verify")

STEPS = 14
"""How often `advance` is called."""


def verify(
    con: duckdb.DuckDBPyConnection,
    homes: Sequence[Path],
    *,
    advance: Callable[[], object] = lambda: None,
) -> VerifyReport:
    """Checks every link, in the order of the data's way; the first fault is the one to look into.

    Args:
        con: the open warehouse; it is only read.
        homes: whose outboxes are read; the first one holds the report.
        advance: called after each of STEPS links, for a progress bar.
    """
    totals = _totals(con)
    checks: tuple[Callable[[], Link], ...] = (
        lambda: check_outboxes(homes),
        lambda: check_shipments(con, homes[0], totals),
        lambda: check_archive(con, homes[0]),
        lambda: check_corrections(con),
        lambda: check_meters(con, totals),
        lambda: check_rate_sheets(con),
        lambda: check_prices(con, totals),
        lambda: check_documents(con),
        lambda: check_invoices(con, totals),
        lambda: check_split(con, totals),
        lambda: check_ledger(con),
        lambda: check_closed(con, homes[0]),
        lambda: check_alerts(homes[0]),
        lambda: check_report(con, homes[0]),
    )
    links = []
    for check in checks:
        links.append(check())
        advance()
    return VerifyReport(tuple(links))


def _totals(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    found = con.execute(load("verify/sums")["totals"])
    names = [column[0] for column in found.description]
    return dict(zip(names, found.fetchall()[0], strict=True))
