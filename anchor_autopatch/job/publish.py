"""Publishes `report.duckdb`, the only file that people query: built beside, put in place at once.

A reader of a DuckDB file blocks its writer and the other way round, so readers never get the
warehouse. Whoever has the old report open goes on reading the old one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import duckdb

from anchor_autopatch.core.crash_points import reached
from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.core.failures import KNOWN_CODES
from anchor_autopatch.core.settings import REPORT_FILE
from anchor_autopatch.job.archive import create_views
from anchor_autopatch.job.clock import to_micros
from anchor_autopatch.job.settlement import OVERDUE_HOURS
from anchor_autopatch.job.sql import load, read_script
from anchor_autopatch.job.warehouse import frugal, private_files, transaction

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

MEMORY_LIMIT = "768MB"
"""The report is written anew in each run, ordered: a million receipts took 1.85 GB to sort."""


def publish(
    con: duckdb.DuckDBPyConnection,
    home: Path,
    now: datetime,
    *,
    overdue_after: timedelta = timedelta(hours=OVERDUE_HOURS),
) -> Path:
    """Builds the report from the open warehouse and returns its path; mode 0600.

    Submissions that have waited for their end longer than `overdue_after` are listed in it.

    Raises:
        StoreError: it cannot be written; the report of the last run stays in place.
    """
    report = home / REPORT_FILE
    made = report.with_name(f".{REPORT_FILE}.new")
    with private_files():
        try:
            instants = to_micros(now), to_micros(now - overdue_after)
            try:
                with frugal(con, MEMORY_LIMIT):
                    _remove(made)
                    _build(con, home, made, *instants)
            except duckdb.OutOfMemoryException:
                # Not every plan can be spilled. The file is made anew: nothing of it counts yet.
                _remove(made)
                _build(con, home, made, *instants)
            reached("publish.built")
            made.replace(report)
            reached("publish.replaced")
        except (OSError, duckdb.Error) as error:
            reason = str(error).strip().partition("\n")[0]
            raise StoreError(
                f"Cannot publish {str(report)!r}, the last one stays: {reason}"
            ) from error
    return report


def _build(
    con: duckdb.DuckDBPyConnection, home: Path, made: Path, now_us: int, overdue_before_us: int
) -> None:
    sql = load("warehouse")
    parameters = {
        "published": {"now_us": now_us},
        "new_error_codes": {"known": sorted(KNOWN_CODES)},
        "variance_actions": {"now_us": now_us},
        "capture_health": {"now_us": now_us},
        "unsettled_submissions": {"now_us": now_us, "overdue_before_us": overdue_before_us},
    }
    con.execute(sql["attach_report"], {"path": str(made)})
    try:
        # One transaction: each of 250 comments would wait for the disk by itself.
        with transaction(con):
            for name, statement in (load("publish/relations") | load("focus/view")).items():
                con.execute(statement, parameters.get(name))
            create_views(con, home)
            con.execute(read_script("publish/comments"))
            con.execute(read_script("focus/comments"))
    finally:
        # Detaching writes what is in the WAL into the file itself.
        con.execute(sql["detach_report"])


def _remove(made: Path) -> None:
    # What a killed run has left would be opened and added to.
    made.unlink(missing_ok=True)
    made.with_name(f"{made.name}.wal").unlink(missing_ok=True)
