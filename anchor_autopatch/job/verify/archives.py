"""The archive: every file is as it was written, and no file is there that nobody noted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.core.settings import ARCHIVE_FOLDER
from anchor_autopatch.job.archive.parts import fault_of, files_there
from anchor_autopatch.job.verify.link import Link

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

    from anchor_autopatch.job.archive.parts import ArchiveFile


def check_archive(con: duckdb.DuckDBPyConnection, home: Path) -> Link:
    """Reads every file of the archive to its end and compares size and SHA-256."""
    files = files_there(con)
    faults = [fault for file in files if (fault := fault_of(home, file)) is not None]
    rows = sum(file.row_count for file in files)
    proven = f"{len(files)} files, {rows} rows: every byte is as it was written"
    return Link("archive", proven, (*faults, *_unknown(home, files)))


def _unknown(home: Path, files: list[ArchiveFile]) -> Iterator[str]:
    noted = {file.path for file in files}
    for path in sorted((home / ARCHIVE_FOLDER).glob("*/*/*.parquet")):
        if str(path.relative_to(home)) not in noted:
            yield (
                f"archive file {str(path)!r} was noted by no run; a run that was killed left it "
                "when anchor archive or anchor purge takes it away, else somebody put it there"
            )
