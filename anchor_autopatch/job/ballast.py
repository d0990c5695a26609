"""Room that the job holds ready in its home, so that a full disk can always be drained.

Whoever filled the disk, shipping is what frees the room that receipts take; but a warehouse that
cannot grow cannot take them. The ballast is given up before the work where room is short, and taken
again after it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BALLAST_FILE = "ballast"
BALLAST_BYTES = 64_000_000
"""Enough for a commit of 200,000 receipts, each about 80 bytes in the warehouse, and its log."""


@contextmanager
def room_to_work(home: Path) -> Iterator[None]:
    """Within the block the disk of the home has room for the work, if the ballast was there."""
    ballast = home / BALLAST_FILE
    if _free_bytes(home) < BALLAST_BYTES:
        ballast.unlink(missing_ok=True)
    try:
        yield
    finally:
        # Twice: it must not itself bring the disk to where it would be given up again.
        if not ballast.exists() and _free_bytes(home) > 2 * BALLAST_BYTES:
            _take(ballast)


def _free_bytes(home: Path) -> int:
    found = os.statvfs(home)
    return found.f_bavail * found.f_frsize


def _take(ballast: Path) -> None:
    # A disk that filled up meanwhile keeps the next run from working no more than before.
    with suppress(OSError):
        descriptor = os.open(ballast, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
        except OSError:
            ballast.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
