"""Removes what is past its term, and nothing that is not shipped, archived and settled before.

Each thing is looked at by itself and either removed or kept with the reason. What is removed from
the warehouse leaves its key behind, so that a clone or a backup that comes back is still known.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from anchor_autopatch.core.crash_points import reached
from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.core.settings import QUARANTINE_FOLDER
from anchor_autopatch.job.archive.parts import (
    ArchiveFile,
    day_bounds,
    fault_of,
    files_there,
    write_part,
)
from anchor_autopatch.job.clock import to_micros
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anchor_autopatch.job.archive.retention import Retention

_NEVER = date.min
_COMPANIONS = ("", "-wal", "-shm")
_DERIVED = (
    "forget_meters",
    "forget_prices",
    "forget_anchors",
    "forget_settlements",
    "forget_findings",
)
"""What goes with receipts; they themselves last, since the rest is found through them."""


class Candidate(NamedTuple):
    """One thing that is past its term."""

    kind: str
    """receipts | exception_events | archive | quarantine."""
    name: str
    """The UTC day of rows, else the path of the file."""
    rows: int
    byte_count: int | None
    """Size of a file; None for rows of the warehouse, whose place is used again by new ones."""
    kept_because: str | None = None
    """What forbids to remove it; None = it goes."""


class PurgeReport(NamedTuple):
    """What is past its term, and what became of it."""

    candidates: tuple[Candidate, ...]
    is_dry_run: bool

    @property
    def going(self) -> tuple[Candidate, ...]:
        """What was removed, or would be."""
        return tuple(found for found in self.candidates if found.kept_because is None)

    @property
    def kept(self) -> tuple[Candidate, ...]:
        """What is past its term and stays all the same."""
        return tuple(found for found in self.candidates if found.kept_because is not None)


def purge(
    con: duckdb.DuckDBPyConnection,
    home: Path,
    retention: Retention,
    now: datetime,
    *,
    dry_run: bool = False,
) -> PurgeReport:
    """Removes what the terms allow; killed anywhere, the next run goes on.

    Args:
        con: the open warehouse.
        home: holds the archive and the quarantine.
        retention: the terms; what has none is not looked at.
        now: the instant that ages are counted to, aware.
        dry_run: only say what would go, after the same checks.

    Raises:
        StoreError: something cannot be removed; what went before it is gone.
    """
    run = _Purge(con, home, now, dry_run=dry_run)
    today = now.astimezone(UTC).date()
    if not dry_run:
        run.finish_killed_run()
    found = (
        *run.rows(retention.receipts_before(today), retention.exception_events_before(today)),
        *run.quarantine(retention.quarantine_before(today)),
        *run.archive(retention.archive_before(today)),
    )
    return PurgeReport(found, dry_run)


class _Purge:
    """One run: where it works, at which instant, and whether it only looks."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, home: Path, now: datetime, *, dry_run: bool
    ) -> None:
        self._con = con
        self._home = home
        self._now_us = to_micros(now)
        self._dry_run = dry_run

    def finish_killed_run(self) -> None:
        """Removes files that an earlier run had noted as removed when it was killed."""
        sql = load("archive")
        for (path,) in self._con.execute(sql["removed_files"]).fetchall():
            (self._home / path).unlink(missing_ok=True)
        for (path,) in self._con.execute(sql["removed_quarantine"]).fetchall():
            _unlink(Path(path))

    def rows(self, receipts_before: date | None, events_before: date | None) -> list[Candidate]:
        """Days of rows in the warehouse."""
        terms = {
            "receipts_before": receipts_before or _NEVER,
            "events_before": events_before or _NEVER,
        }
        found = self._con.execute(load("archive")["row_candidates"], terms).fetchall()
        files = files_there(self._con) if found else []
        candidates = []
        for relation, day, rows, kept_because in found:
            copies = [file for file in files if (file.relation, file.day) == (relation, day)]
            # The archive is all that will be left: read again, not believed.
            reason = kept_because or next(filter(None, map(self._fault, copies)), None)
            if reason is None:
                self._do(partial(self._purge_day, relation, day))
            candidates.append(Candidate(relation, str(day), rows, None, reason))
        return candidates

    def quarantine(self, before: date | None) -> Iterator[Candidate]:
        """Damaged and foreign files, whose sound rows were shipped when they were set aside."""
        parameters = {"quarantine_before": datetime.combine(before or _NEVER, time())}
        found = self._con.execute(load("archive")["quarantine_candidates"], parameters).fetchall()
        for name, _, salvaged in found:
            path = Path(name)
            size = sum(_size(path.with_name(path.name + ending)) for ending in _COMPANIONS)
            reason = None
            if path.parent.name != QUARANTINE_FOLDER:
                # A record that points elsewhere was not written by us; no file there is ours.
                reason = "it is in no quarantine folder"
            else:
                self._do(partial(self._remove_quarantined, path))
            yield Candidate("quarantine", name, salvaged, size, reason)

    def archive(self, before: date | None) -> Iterator[Candidate]:
        """Files of the archive whose rows were purged from the warehouse before."""
        terms = {"archive_before": before or _NEVER}
        found = self._con.execute(load("archive")["file_candidates"], terms).fetchall()
        for path, _, rows, size, _, kept_because in found:
            if kept_because is None:
                self._do(partial(self._remove_archived, path))
            yield Candidate("archive", str(self._home / path), rows, size, kept_because)

    def _do(self, removal: Callable[[], object]) -> None:
        if self._dry_run:
            return
        try:
            removal()
        except (OSError, duckdb.Error) as error:
            reason = str(error).strip().partition("\n")[0]
            raise StoreError(f"Cannot purge, what went before is gone: {reason}") from error

    def _fault(self, file: ArchiveFile) -> str | None:
        return fault_of(self._home, file)

    def _purge_day(self, relation: str, day: date) -> None:
        sql, bounds = load("archive"), day_bounds(day)
        if relation == "receipts":
            lacking = self._con.execute(sql["lacks_details"], {**bounds, "day": day}).fetchone()
            if lacking == (True,):
                write_part(self._con, self._home, "receipt_details", day, self._now_us)
        reached("purge.checked")
        with transaction(self._con):
            self._con.execute(sql[f"remember_{relation}"], {**bounds, "now_us": self._now_us})
            if relation == "receipts":
                for name in _DERIVED:
                    self._con.execute(sql[name], bounds)
            self._con.execute(sql[f"forget_{relation}"], bounds)
        reached("purge.rows")

    def _remove_archived(self, path: str) -> None:
        # Noted first: a file that is gone without a note would look like a loss.
        with transaction(self._con):
            noted = {"path": path, "now_us": self._now_us}
            self._con.execute(load("archive")["note_removed_file"], noted)
        reached("purge.noted")
        (self._home / path).unlink(missing_ok=True)
        reached("purge.unlinked")

    def _remove_quarantined(self, path: Path) -> None:
        with transaction(self._con):
            noted = {"moved_to": str(path), "now_us": self._now_us}
            self._con.execute(load("archive")["note_removed_quarantine"], noted)
        reached("purge.noted")
        _unlink(path)
        reached("purge.unlinked")


def _unlink(path: Path) -> None:
    for ending in _COMPANIONS:
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
