"""Links that are sums and counts: each statement of verify/sums.sql returns what does not tie."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb

from anchor_autopatch.core.settings import REPORT_FILE
from anchor_autopatch.job.findings import money
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.verify.link import SHOWN_FAULTS, Link

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_METERS = {
    "unmeasured_receipts": "receipt {0} has {1} rows of meters, not 1",
    "meters_of_nothing": "meters of receipt {0}, which is not there",
}
_PRICES = {
    "doubled_objects": "{1} of {0} is billed by {2} receipts, though it is one object",
    "unpriced_receipts": "billable receipt {0} has {1} prices, not 1",
    "broken_sums": "receipt {0} costs {1} USD, its usage lines sum to {2}",
    "prices_without_card": "receipt {0} is {1} by a rate card that is not there: {2}",
}
_INVOICES = {
    "broken_controls": "invoice {0} is {1} {3}, its lines sum to {2}",
    "unreconciled_invoices": "invoice {0} is {1} {3}, the last reconcile saw {2}",
}
_SPLIT = {
    "broken_splits": "invoice {0}: its split by {1} sums to {3}, not to {2} {4}",
    "broken_anchors": "invoice {0}: its receipts carry {2}, not {1} {3}",
    "doubled_anchors": "receipt {0} carries shares of {1} invoices",
}
_REPORT = {
    "stale_report": "report.{0} has {1} rows, the warehouse {2}; run: anchor reconcile",
    "broken_report": "published invoice {0}: its split sums to {2}, not to {1} {3}",
}


def check_meters(con: duckdb.DuckDBPyConnection, totals: Mapping[str, int]) -> Link:
    """Every receipt was measured, once."""
    proven = f"{totals['measured']} receipts are measured, each once"
    return Link("meters", proven, tuple(faults_of(con, _METERS)))


def check_prices(con: duckdb.DuckDBPyConnection, totals: Mapping[str, int]) -> Link:
    """Every billable receipt has one price, which is the sum of its usage lines, by a card."""
    proven = f"{totals['priced']} prices: each the sum of its usage lines, by a card that is kept"
    return Link("prices", proven, tuple(faults_of(con, _PRICES)))


def check_invoices(con: duckdb.DuckDBPyConnection, totals: Mapping[str, int]) -> Link:
    """The lines of every control total sum to it, and the last run of reconcile saw it."""
    proven = f"{totals['invoices']} invoices in force: lines sum to each total"
    return Link("invoices", proven, tuple(faults_of(con, _INVOICES)))


def check_split(con: duckdb.DuckDBPyConnection, totals: Mapping[str, int]) -> Link:
    """All four splits sum to every invoice, and so do the shares of the receipts."""
    proven = (
        f"{totals['anchored']} receipts carry shares; by app, feature, user and request "
        "the sum is the invoice"
    )
    return Link("split", proven, tuple(faults_of(con, _SPLIT)))


def check_report(con: duckdb.DuckDBPyConnection, home: Path) -> Link:
    """The published file says what the warehouse says."""
    path = home / REPORT_FILE
    if not path.exists():
        return Link("report", "nothing was published yet", ())
    try:
        con.execute(load("verify/sums")["attach_report"], {"path": str(path)})
    except duckdb.Error as error:
        reason = str(error).strip().partition("\n")[0]
        return Link("report", "", (f"{str(path)!r} cannot be read: {reason}",))
    try:
        faults = tuple(faults_of(con, _REPORT))
    except duckdb.Error as error:
        # Its views read the archive, of which a file may be gone or rotten.
        reason = str(error).strip().partition("\n")[0]
        faults = (f"{str(path)!r} cannot be queried: {reason}",)
    finally:
        con.execute(load("warehouse")["detach_report"])
    return Link("report", "report.duckdb says what the warehouse says", faults)


def faults_of(con: duckdb.DuckDBPyConnection, sentences: Mapping[str, str]) -> Iterator[str]:
    """Runs the sums; yields a sentence for each row they return, SHOWN_FAULTS of each kind."""
    for name, sentence in sentences.items():
        rows = con.execute(load("verify/sums")[name]).fetchmany(SHOWN_FAULTS)
        yield from (sentence.format(*map(_cell, row)) for row in rows)


def _cell(value: object) -> object:
    return money(value) if isinstance(value, Decimal) else value
