"""Reads what one outbox file tells about itself: read-only, with SQLite, and without its job."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from anchor_autopatch.core.sql_files import read_statements

_DAY_US = 86_400 * 1_000_000


class Told(NamedTuple):
    """What one file holds."""

    path: Path
    size: int
    """Bytes, write-ahead log included."""
    written_at: float
    """Seconds since 1970 UTC."""
    meta: dict[str, str]
    rows: int
    last_receipt_us: int | None
    faults: list[tuple[str | None, str, int]]
    """Of the last day: target, what happened, how often."""
    refused_headers: list[tuple[str, int]]
    """Of the last day: why inbound attribution headers were not believed, how often."""
    unmapped: list[tuple[str | None, str | None, int]]
    """Host, one of the models, calls."""


def read(path: Path, now: float) -> Told | str:
    """What the file holds, or why it cannot be read."""
    files = [path, *(wal for wal in (path.with_name(f"{path.name}-wal"),) if wal.exists())]
    try:
        stats = [file.stat() for file in files]
        # Read-only, so that looking at a live outbox neither makes nor checkpoints anything.
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as con:
            return _ask(
                con, path, sum(s.st_size for s in stats), max(s.st_mtime for s in stats), now
            )
    except (OSError, sqlite3.Error, UnicodeDecodeError) as error:
        return str(error)


def _ask(con: sqlite3.Connection, path: Path, size: int, written_at: float, now: float) -> Told:
    sql = read_statements("anchor_autopatch.cli.doctor_checks", "outbox")
    receipts, last = con.execute(sql["receipts"]).fetchone()
    (events,) = con.execute(sql["events"]).fetchone()
    since = {"since_us": int(now * 1_000_000) - _DAY_US}
    return Told(
        path,
        size,
        written_at,
        dict(con.execute(sql["meta"])),
        receipts + events,
        last,
        con.execute(sql["faults"], since).fetchall(),
        con.execute(sql["refused_headers"], since).fetchall(),
        con.execute(sql["unmapped_hosts"]).fetchall(),
    )
