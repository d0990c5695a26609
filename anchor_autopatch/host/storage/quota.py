"""How much the outboxes of a home may take: unshipped receipts must not fill a disk.

On a full disk nothing can be shipped either, since the warehouse has no room to grow: so the last
of the room is left to the job.
"""

from __future__ import annotations

import os

VARIABLE = "ANCHOR_OUTBOX_MB"
DEFAULT_MB = 1024
"""About 300,000 receipts in logs, a million and more in files that are closed."""
RESERVE_BYTES = 32_000_000
"""Room on the disk that is left free; of a small disk a quarter."""
_SAMPLE = 1_000


class QuotaError(OSError):
    """The outboxes of this home take as much as they may, or the disk is all but full."""


def expect_room(folder: str) -> None:
    """Returns when another outbox may be opened in the folder.

    Raises:
        QuotaError: what lies there takes as much as it may, or the disk is all but full.
        OSError: the folder cannot be read.
    """
    expect_free_disk(folder)
    taken, allowed = _taken(folder), limit_mb() * 1_000_000
    if taken >= allowed:
        raise QuotaError(
            f"the outboxes in {folder!r} take {taken // 1_000_000} of {allowed // 1_000_000} MB; "
            f"run anchor ship, or raise {VARIABLE}"
        )


def expect_free_disk(folder: str) -> None:
    """Returns while the disk has more room left than the job needs.

    Raises:
        QuotaError: it has not.
        OSError: the folder is gone.
    """
    if not hasattr(os, "statvfs"):
        return
    disk = os.statvfs(folder)
    free, size = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    if free < min(RESERVE_BYTES, size // 4):
        raise QuotaError(
            f"the disk of {folder!r} has {free // 1_000_000} MB left, which anchor ship needs; "
            "free some room"
        )


def limit_mb() -> int:
    """Megabytes (10**6 bytes) that the outboxes of one home may take."""
    given = os.environ.get(VARIABLE, "")
    return int(given) if given.isascii() and given.isdigit() else DEFAULT_MB


def _taken(folder: str) -> int:
    # In the application's first call: of many files a thousand speak for the rest, in about 2 ms.
    names = os.listdir(folder)
    sizes = [size for name in names[:_SAMPLE] if (size := _size(os.path.join(folder, name)))]
    return sum(sizes) * len(names) // max(1, min(len(names), _SAMPLE))


def _size(path: str) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_size
    except OSError:
        # Shipped and removed in this very moment.
        return 0
