"""A lease by kernel lock: of two jobs on one folder one works, the other is told so."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOB_LOCK = "job.lock"
SHIPPER_LOCK = "shipper.lock"


@contextmanager
def lease(path: Path) -> Iterator[bool]:
    """Yields True while this process holds the lock file, False when another one does.

    The kernel drops the lock with the process, however it ends; the file stays.
    """
    # O_NOFOLLOW: a planted symlink must not make us create or touch a file elsewhere.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            # No POSIX record lock: that goes when the process closes any descriptor of the file.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        # The file stays: were it removed, two jobs could lock two files of one name.
        os.close(descriptor)
