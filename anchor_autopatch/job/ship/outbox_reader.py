"""Reads outbox files, live or left behind, without ever trusting what is in them.

A live file is read in one read-only snapshot and never written to. Damage is a value, not a crash:
rows with a wrong checksum and numbers without a row come back as losses beside the good rows.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from anchor_autopatch.core.destinations import OutboxIdentity, Row, Watermark
from anchor_autopatch.core.high_water import read_mark
from anchor_autopatch.core.outbox_format import SCHEMA_VERSION
from anchor_autopatch.core.settings import OUTBOX_FOLDER
from anchor_autopatch.job.lease import lease
from anchor_autopatch.job.ship.outbox_layout import Layout, read_layouts
from anchor_autopatch.job.ship.outbox_rows import RowsRead, check_rows, lost_end
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from anchor_autopatch.core.destinations import Batch

BATCH_ROWS = 1_000
"""Rows of a table that are read together: few enough to stay in the processor's cache until they
are checked and staged, which took a sixth off the CPU time of shipping."""

# The extended code of a short read (2 << 8): the file ends before its own page count.
_SHORT_READ = sqlite3.SQLITE_IOERR | (2 << 8)
_DAMAGE = frozenset(
    (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_FORMAT)
)


class DamagedOutbox(Exception):  # noqa: N818 - a finding about a file, reported and survived
    """The file is no outbox, or is one no longer."""


class EmptyOutbox(DamagedOutbox):
    """Nothing was ever committed to the file; normal for an instant while its writer makes it."""


class BusyOutbox(Exception):  # noqa: N818 - a finding about a file, reported and survived
    """The file cannot be read now; nothing says that it is damaged."""


class NewerOutbox(Exception):  # noqa: N818 - a finding about a file, reported and survived
    """The file was written by a newer version than this job understands."""


def outbox_files(home: Path) -> list[Path]:
    """The outbox files of a home, sorted by name; [] when it has none."""
    return sorted((home / OUTBOX_FOLDER).glob("*.db"))


def fallback_files(home: Path, wanted: Collection[str]) -> list[Path]:
    """The outbox files in `home` of processes that wanted to write to one of the homes `wanted`."""
    return [path for path in outbox_files(home) if _wanted_home(path) in wanted]


def _wanted_home(path: Path) -> str | None:
    try:
        with OutboxReader(path) as reader:
            return reader.outbox.home
    except (DamagedOutbox, BusyOutbox, NewerOutbox):
        # Whose file it is cannot be said; the job of that home will report it.
        return None


@contextmanager
def writer_gone(path: Path) -> Iterator[bool]:
    """Yields whether the writer of this file is gone; within the block it stays so.

    The writer holds the lock file beside it while it lives; a pid proves nothing, it is reused.
    """
    lock = path.with_suffix(".lock")
    if not (lock.exists() or lock.is_symlink()):
        # A copied or restored file: a writer makes and takes the lock before the database.
        yield True
        return
    with lease(lock) as mine:
        yield mine


class OutboxReader:
    """One outbox file, read in one snapshot; a context manager.

    Raises:
        DamagedOutbox: it is no outbox, or cannot even say which one it is.
        NewerOutbox: its schema is newer than this version knows.
        BusyOutbox: it cannot be read now.
    """

    def __init__(self, path: Path) -> None:
        _expect_regular_file(path)
        # Before the snapshot: a living writer goes on, so what is marked now is in it for certain.
        self.acknowledged = read_mark(path.with_suffix(".lock")) or 0
        self._con = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            for name in ("check_cells", "distrust_schema", "begin_snapshot"):
                self._con.execute(_SQL[name])
            if self._con.execute(_SQL["schema_size"]).fetchone() == (0,):
                raise EmptyOutbox("it has no tables")
            meta = dict(self._con.execute(_SQL["meta"]))
            self.outbox = _identity(path, meta)
            self._receipts, self._events = self._layouts(meta.get("row_format"))
            self._end_unknown = False
            self.last_seq = self._last_seq(path)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            # Of a broken schema SQLite quotes the place, whatever bytes stand there.
            self._con.close()
            raise _finding(error) from error
        except (DamagedOutbox, NewerOutbox):
            self._con.close()
            raise

    def __enter__(self) -> OutboxReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._con.close()

    def batches(self, shipped: Watermark) -> Iterator[Batch]:
        """The rows after the watermark, oldest first.

        All rows when the watermark's row is another one now: the file was restored or cloned and
        went on by itself. The destination leaves out what it has already.
        """
        before = shipped if self._goes_on_from(shipped) else Watermark()
        while before.seq < self.last_seq:
            batch = check_rows(self.outbox, before, self._read(before.seq))
            if batch.after.seq == before.seq and not batch.losses:
                break
            yield batch
            if batch.after.seq == before.seq:
                break
            before = batch.after
        if max(before.seq, shipped.seq) < self.acknowledged:
            yield lost_end(self.outbox, before, self.acknowledged)

    def _goes_on_from(self, shipped: Watermark) -> bool:
        if shipped.seq > self.last_seq:
            # Its end has rotted away, and that was told: the watermark is where the rows ended.
            return shipped.seq == self.acknowledged
        if shipped.crc is None:
            return True
        try:
            found = self._con.execute(_SQL["crc_at"], {"seq": shipped.seq}).fetchone()
        except sqlite3.DatabaseError as error:
            if isinstance(_finding(error), DamagedOutbox):
                return False
            raise BusyOutbox(str(error)) from error
        return bool(found == (shipped.crc,))

    def _read(self, after: int) -> RowsRead:
        unreadable: list[int] = []
        receipts = self._rows(self._receipts.select, after, self.last_seq, unreadable)
        upto = _last_of(receipts) if len(receipts) >= BATCH_ROWS else self.last_seq
        events = self._rows(self._events.select, after, upto, unreadable)
        if len(events) >= BATCH_ROWS:
            upto = _last_of(events)
            receipts = [row for row in receipts if _seq(row) <= upto]
        if self._end_unknown:
            # At least one row is lost after the last good one; how many, nobody can say.
            upto = min(upto, 1 + max(map(_seq, (*receipts[-1:], *events[-1:])), default=after))
        lost = [seq for seq in unreadable if seq <= upto]
        return RowsRead(receipts, events, lost, self._receipts, self._events)

    def _layouts(self, row_format: str | None) -> tuple[Layout, Layout]:
        layouts = read_layouts(self._con, row_format)
        if layouts is None:
            raise DamagedOutbox("its tables are not those of an outbox, or not those it began with")
        return layouts

    def _rows(self, select: str, low: int, high: int, unreadable: list[int]) -> list[Row]:
        """At most BATCH_ROWS rows of (low, high]; halves the range to find what cannot be read."""
        try:
            return self._con.execute(select, (low, high)).fetchmany(BATCH_ROWS)
        except sqlite3.DatabaseError as error:
            if not isinstance(_finding(error), DamagedOutbox):
                raise BusyOutbox(str(error)) from error
        if high - low == 1:
            unreadable.append(high)
            return []
        middle = (low + high) // 2
        rows = self._rows(select, low, middle, unreadable)
        if len(rows) < BATCH_ROWS:
            rows += self._rows(select, middle, high, unreadable)
        return rows[:BATCH_ROWS]

    def _last_seq(self, path: Path) -> int:
        try:
            return int(self._con.execute(_SQL["last_seq"]).fetchone()[0])
        except sqlite3.DatabaseError as error:
            if not isinstance(_finding(error), DamagedOutbox):
                raise
        # The end of a table is unreadable; no row is smaller than 64 bytes, so none is beyond this.
        self._end_unknown = True
        wal = path.with_name(f"{path.name}-wal")
        return (path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)) // 64


_SQL = load("outbox")


def _expect_regular_file(path: Path) -> None:
    if path.is_symlink() or not path.is_file():
        raise DamagedOutbox("it is not a regular file")
    if path.stat().st_size == 0:
        raise EmptyOutbox("it is empty")


def _identity(path: Path, meta: Mapping[str, str]) -> OutboxIdentity:
    outbox_id, version = meta.get("outbox_id"), _integer(meta.get("schema_version"))
    if not outbox_id or version is None:
        raise DamagedOutbox("it does not say which outbox it is")
    if version > SCHEMA_VERSION:
        raise NewerOutbox(f"it has schema {version}, this version reads up to {SCHEMA_VERSION}")
    return OutboxIdentity(
        outbox_id=outbox_id,
        path=str(path),
        home=meta.get("home"),
        host=meta.get("host"),
        pid=_integer(meta.get("pid")),
        process_started_us=_integer(meta.get("process_started_us")),
        created_at_us=_integer(meta.get("created_at_us")),
        python_version=meta.get("python"),
        anchor_version=meta.get("anchor_version"),
        program=meta.get("program"),
        rows_dropped=_integer(meta.get("rows_dropped_before")) or 0,
        opened_after=meta.get("opened_after"),
    )


def _integer(text: str | None) -> int | None:
    # Eighteen digits always fit a BIGINT.
    return int(text) if text and re.fullmatch("[0-9]{1,18}", text) else None


def _finding(error: sqlite3.Error | UnicodeDecodeError) -> DamagedOutbox | BusyOutbox:
    code = getattr(error, "sqlite_errorcode", None)
    # No code: Python could not decode the text of a row.
    damaged = code is None or code == _SHORT_READ or code & 0xFF in _DAMAGE
    return DamagedOutbox(str(error)) if damaged else BusyOutbox(str(error))


def _seq(row: Row) -> int:
    seq = row[0]
    return seq if isinstance(seq, int) else 0


def _last_of(rows: list[Row]) -> int:
    return _seq(rows[-1])
