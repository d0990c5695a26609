"""What each run of reconcile does about the close: modes of open periods, open proposals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.job.close.proposals import proposals
from anchor_autopatch.job.findings import money
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from anchor_autopatch.job.close.rules import CloseRules

__all__ = ("find_open_proposals", "mark_modes")


def mark_modes(con: duckdb.DuckDBPyConnection, rules: CloseRules) -> None:
    """Says of every open period whether it is for showback or for chargeback."""
    sql = load("close")
    for (period,) in con.execute(sql["open_periods"]).fetchall():
        con.execute(sql["mark_mode"], {"period": period, "mode": rules.mode_of(period)})


def find_open_proposals(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Corrections that wait for approval, one line each, with the mend."""
    for each in proposals(con):
        if each.state == "proposed":
            yield (
                f"{each.period} is frozen and {each.reason}: {money(each.moved)} {each.currency} "
                f"would move; anchor close correct {each.period} --show {each.correction_id}"
            )
