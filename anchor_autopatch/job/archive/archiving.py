"""Copies every whole UTC day of receipts and exception events into the archive, once."""

from __future__ import annotations

from datetime import UTC, date
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.job.archive.parts import write_part
from anchor_autopatch.job.archive.retention import Retention
from anchor_autopatch.job.clock import to_micros
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from anchor_autopatch.job.archive.parts import ArchiveFile


class ArchiveReport(NamedTuple):
    """What one run wrote."""

    files: tuple[ArchiveFile, ...]
    findings: tuple[str, ...] = ()
    """What needs a person."""

    @property
    def rows(self) -> int:
        """Receipts and exception events in the new files."""
        return sum(file.row_count for file in self.files)


def archive_if_asked(
    con: duckdb.DuckDBPyConnection, home: Path, now: datetime, retention: Retention
) -> ArchiveReport:
    """The part that archiving has in a run of the whole job: none, unless the policy sets a term.

    What has a term leaves the warehouse one day, and only what lies in the archive may. A disk that
    takes no file is a finding: prices and the report must come out all the same.
    """
    if not any(retention):
        return ArchiveReport(())
    try:
        return archive(con, home, now, retention=retention)
    except StoreError as error:
        return ArchiveReport((), (str(error),))


def archive(
    con: duckdb.DuckDBPyConnection,
    home: Path,
    now: datetime,
    *,
    retention: Retention | None = None,
    advance: Callable[[], object] = lambda: None,
) -> ArchiveReport:
    """Writes `home`/archive/RELATION/day=YYYY-MM-DD/NNNN.parquet for each day that has ended.

    A file is never written to again: rows of a day that come late go into a further one. Killed
    anywhere, the next run goes on; run twice, the second finds nothing to do.

    Args:
        con: the open warehouse.
        home: holds the folder `archive`.
        now: the day that it falls in is not over yet, and is left for later; aware.
        retention: days whose files it would remove at once are left alone.
        advance: called after each file, for a progress bar.

    Raises:
        StoreError: a file cannot be written; those before it are kept.
    """
    today = now.astimezone(UTC).date()
    since = (retention or Retention()).archive_before(today) or date.min
    found = con.execute(load("archive")["days"], {"before": today, "since": since}).fetchall()
    files = []
    for relation, day, _ in found:
        try:
            files.append(write_part(con, home, relation, day, to_micros(now)))
        except (OSError, duckdb.Error) as error:
            reason = str(error).strip().partition("\n")[0]
            raise StoreError(f"Cannot archive {relation} of {day}: {reason}") from error
        advance()
    return ArchiveReport(tuple(files))
