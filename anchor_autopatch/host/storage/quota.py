"""How much all outboxes of a home may take: unshipped receipts must not fill a disk."""

from __future__ import annotations

import os

VARIABLE = "ANCHOR_OUTBOX_MB"
DEFAULT_MB = 1024
"""About 300,000 receipts in logs, a million and more in files that are closed."""
_SAMPLE = 1_000


class QuotaError(OSError):
    """The outboxes of this home take as much as they may; nobody ships them."""


def expect_room(folder: str) -> None:
    """Returns when another outbox may be opened in the folder.

    Raises:
        QuotaError: what lies there takes as much as it may.
        OSError: the folder cannot be read.
    """
    taken, allowed = _taken(folder), limit_mb() * 1_000_000
    if taken >= allowed:
        raise QuotaError(
            f"the outboxes in {folder!r} take {taken // 1_000_000} of {allowed // 1_000_000} MB; "
            f"run anchor ship, or raise {VARIABLE}"
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
