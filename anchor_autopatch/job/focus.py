"""Writes the split of the bills as a FOCUS file: checked whole first, put in place at once."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.job.placing import placed
from anchor_autopatch.job.relations import open_report
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

__all__ = ("Exported", "check_focus", "export_focus")

_SHOWN_FAULTS = 3


class Exported(NamedTuple):
    """What is in the file of one currency."""

    currency: str
    rows: int
    billed_cost: Decimal


def export_focus(
    home: Path,
    path: Path,
    *,
    kind: str,
    period: str | None = None,
    billed_only: bool = False,
) -> list[Exported]:
    """Writes rows of `focus_cost_and_usage`; a file that is there is replaced when all is well.

    Args:
        home: Holds report.duckdb.
        path: File to write.
        kind: csv or parquet.
        period: YYYY-MM of the bill; None = all.
        billed_only: Leave out what is not invoiced yet, whose cost is an estimate.

    Raises:
        StoreError: there is no report, no such row, a rule of FOCUS is broken, or the file cannot
            be written; nothing was written.
    """
    sql = load("focus/export")
    with placed(path) as made, open_report(home) as con:
        # Chosen once: the rows that are checked are the rows that are written.
        con.execute(sql["select_charges"], {"period": period, "billed_only": billed_only})
        totals = [Exported(*row) for row in con.execute(sql["totals"]).fetchall()]
        if not totals:
            raise StoreError(_nothing(period))
        # All or nothing: whoever loads the file cannot tell a wrong row from a right one.
        faults = check_focus(con)
        if faults:
            raise StoreError("\n".join(faults[:_SHOWN_FAULTS]))
        con.execute(sql[f"write_{kind}"], {"path": str(made)})
    return totals


def check_focus(con: duckdb.DuckDBPyConnection) -> list[str]:
    """What breaks a rule of FOCUS 1.2 among the rows of `charge`, in one line each."""
    return [
        f"{rule}: {value!r}; nothing was exported, please report this"
        for statement in load("focus/checks").values()
        for rule, value in con.execute(statement).fetchall()
    ]


def _nothing(period: str | None) -> str:
    which = f"period {period!r}" if period else "any period"
    return f"No cost is known of {which}; import invoices and run anchor reconcile first"
