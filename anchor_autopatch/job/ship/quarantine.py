"""Takes finished and damaged files out of the outbox folder; only what was shipped is deleted."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from anchor_autopatch.core.crash_points import reached
from anchor_autopatch.core.settings import QUARANTINE_FOLDER
from anchor_autopatch.job.lease import SHIPPER_LOCK

if TYPE_CHECKING:
    from pathlib import Path

_COMPANIONS = ("-wal", "-shm")
_STRAY_AFTER_US = 86_400 * 1_000_000


def quarantine_place(path: Path) -> Path:
    """Where a file of `home`/outbox goes in `home`/quarantine; a name not in use there.

    A move that was killed half way is gone on with: the file is known by what it is, not by name.
    """
    folder = path.parent.parent / QUARANTINE_FOLDER
    place, number = folder / path.name, 1
    while place.exists() and not place.samefile(path):
        number += 1
        place = folder / f"{path.stem}.{number}{path.suffix}"
    return place


def move_to_quarantine(path: Path, place: Path) -> None:
    """Moves an outbox with its WAL, so that SQLite can still open it there."""
    place.parent.mkdir(mode=0o700, exist_ok=True)
    # All is there before anything is taken away: a database without its WAL is half the evidence.
    for companion in ("", *_COMPANIONS):
        beside = path.with_name(path.name + companion)
        with suppress(FileNotFoundError, FileExistsError):
            place.with_name(place.name + companion).hardlink_to(beside)
        reached("quarantine.linked")
    remove_outbox(path)


def remove_outbox(path: Path) -> None:
    """Deletes a fully shipped outbox; the database first, so that no half of it is ever read."""
    path.unlink(missing_ok=True)
    reached("remove.database")
    for companion in _COMPANIONS:
        path.with_name(path.name + companion).unlink(missing_ok=True)
        reached("remove.companion")
    path.with_suffix(".lock").unlink(missing_ok=True)


def remove_strays(folder: Path, now_us: int) -> None:
    """Deletes what a killed removal left: companions without their database, a day old.

    A young lock file may belong to a writer that is about to make its database.
    """
    for pattern in ("*.lock", "*.db-wal", "*.db-shm"):
        for path in folder.glob(pattern):
            if path.name == SHIPPER_LOCK or path.with_name(f"{_stem(path)}.db").exists():
                continue
            if now_us - path.stat().st_mtime_ns // 1000 > _STRAY_AFTER_US:
                path.unlink(missing_ok=True)


def _stem(path: Path) -> str:
    return path.name.removesuffix(path.suffix)
