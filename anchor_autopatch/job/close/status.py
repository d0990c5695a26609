"""Where the periods stand, what they wait for, and what was done to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.close.closing import missing_signatures
from anchor_autopatch.job.close.events import OPEN, REVIEWED, SIGNED_OFF
from anchor_autopatch.job.close.proposals import proposals
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

    from anchor_autopatch.job.close.rules import CloseRules

__all__ = ("PeriodStatus", "TrailRow", "statuses", "trail")


class PeriodStatus(NamedTuple):
    """One reconciled period."""

    period: str
    state: str
    version: int
    mode: str
    invoices: int
    flagged: int
    """Invoices whose variance is beyond the threshold."""
    waits_for: tuple[str, ...]
    """What somebody has to do next."""


class TrailRow(NamedTuple):
    """One step of the close."""

    event_no: int
    recorded_at: datetime
    period: str
    version: int
    action: str
    state: str
    actor: str
    team: str
    subject: str
    digest: str
    reason: str


def statuses(con: duckdb.DuckDBPyConnection, rules: CloseRules) -> list[PeriodStatus]:
    """Every reconciled period, oldest first."""
    rows = con.execute(load("close")["periods"]).fetchall()
    return [
        PeriodStatus(
            *(period, state, version, rules.mode_of(period), invoices, flagged),
            tuple(_waits_for(con, rules, period, state, not_invoiced)),
        )
        for period, state, version, _, invoices, not_invoiced, flagged in rows
    ]


def trail(con: duckdb.DuckDBPyConnection, period: str | None = None) -> list[TrailRow]:
    """What was done to a period, or to all, oldest first."""
    rows = con.execute(load("close")["events"], {"period": period}).fetchall()
    return [TrailRow(*row) for row in rows]


def _waits_for(
    con: duckdb.DuckDBPyConnection, rules: CloseRules, period: str, state: str, not_invoiced: int
) -> list[str]:
    waits = []
    if state == OPEN:
        waits = [f"{not_invoiced} invoices"] if not_invoiced else ["review"]
    if state == REVIEWED:
        missing = missing_signatures(con, rules, period)
        waits = [f"sign-off of {each.team or 'the period'}" for each in missing]
    if state == SIGNED_OFF:
        waits = ["freeze"]
    waits += [
        f"approval of {each.correction_id}"
        for each in proposals(con, period)
        if each.state == "proposed"
    ]
    return waits
