"""Writes one file of the archive, and tells whether one is still as it was written."""

from __future__ import annotations

import os
from datetime import datetime, time, timedelta
from hashlib import file_digest
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.crash_points import reached
from anchor_autopatch.core.settings import ARCHIVE_FOLDER
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import private_files, transaction

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import duckdb

_ID_READERS = {
    "receipts": "read_archived_receipts",
    "receipt_details": "read_archived_receipts",
    "exception_events": "read_archived_exception_events",
}


class ArchiveFile(NamedTuple):
    """A file of the archive as the warehouse knows it."""

    relation: str
    day: date
    part: int
    path: str
    """Relative to the home."""
    row_count: int
    byte_count: int
    file_sha256: str


def files_there(con: duckdb.DuckDBPyConnection) -> list[ArchiveFile]:
    """The files of the archive that retention has left, in order."""
    return list(map(ArchiveFile._make, con.execute(load("archive")["files"]).fetchall()))


def fault_of(home: Path, file: ArchiveFile) -> str | None:
    """What is wrong with a file of the archive; None when it is as it was written."""
    path = home / file.path
    try:
        size, digest = path.stat().st_size, sha256_of(path)
    except OSError as error:
        return f"archive file {str(path)!r} cannot be read: {error.strerror}"
    if (size, digest) != (file.byte_count, file.file_sha256):
        return (
            f"archive file {str(path)!r} is not the one that was written: {size} bytes, "
            f"SHA-256 {digest[:16]}..., not {file.byte_count} bytes, {file.file_sha256[:16]}..."
        )
    return None


def sha256_of(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def day_bounds(day: date) -> dict[str, datetime]:
    """The half-open range of a UTC day, as the parameters `first` and `end`."""
    midnight = datetime.combine(day, time())
    return {"first": midnight, "end": midnight + timedelta(days=1)}


def write_part(
    con: duckdb.DuckDBPyConnection, home: Path, relation: str, day: date, now_us: int
) -> ArchiveFile:
    """Writes the rows of a day that no file of the archive holds, and notes the file.

    The name is told by what is noted, so a file that a killed run put in place and did not note is
    written over by the next one.
    """
    sql = load("archive")
    earlier = [file for file in files_there(con) if (file.relation, file.day) == (relation, day)]
    part = 1 + max((file.part for file in earlier), default=0)
    path = f"{ARCHIVE_FOLDER}/{relation}/day={day}/{part:04d}.parquet"
    con.execute(sql["create_archived_ids"])
    if earlier:
        con.execute(sql[_ID_READERS[relation]], {"paths": [str(home / f.path) for f in earlier]})
    if relation == "receipt_details":
        con.execute(sql["collect_lines"], day_bounds(day))
    _copy(con, home / path, sql[f"copy_{relation}"], day)
    noted = {
        "relation": relation,
        "day": day,
        "part": part,
        "path": path,
        "full_path": str(home / path),
        "byte_count": (home / path).stat().st_size,
        "file_sha256": sha256_of(home / path),
        "now_us": now_us,
    }
    with transaction(con):
        rows = con.execute(sql["note_file"], noted).fetchall()[0][0]
    reached("archive.noted")
    return ArchiveFile(
        relation, day, part, path, rows, int(str(noted["byte_count"])), str(noted["file_sha256"])
    )


def _copy(con: duckdb.DuckDBPyConnection, path: Path, statement: str, day: date) -> None:
    made = path.with_name(f".{path.name}.new")
    with private_files():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made.unlink(missing_ok=True)
        con.execute(statement, {**day_bounds(day), "path": str(made)})
    reached("archive.written")
    # On the disk before it is noted: the rows may be purged on the strength of that note.
    _sync(made)
    made.replace(path)
    _sync(path.parent)
    reached("archive.placed")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
