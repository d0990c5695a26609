"""The durable outbox.

One SQLite file per process, a row is committed before the user's call returns.

One connection under one lock (a connection per thread had a 231 ms tail), WAL with the checkpoint
left to the job (it is the 4 ms tail), and a gapless sequence and a checksum per row. When the file
cannot be written the next folder is tried, then a bounded queue in memory with exact counts, and
the application never notices.
"""

from __future__ import annotations

import atexit
import os
import sqlite3
import time
from _thread import allocate_lock, get_ident
from collections import deque
from os import getpid

from anchor_autopatch.core import outbox_format, settings
from anchor_autopatch.core.records import ExceptionEvent
from anchor_autopatch.host import ids, outbox_file

MEMORY_LIMIT = 10_000
"""Rows kept in memory while no folder can be written."""
_REOPEN_AFTER_SECONDS = 5.0


class Writer:
    """Appends rows to this process's outbox; knows what to do when that fails."""

    def __init__(self) -> None:
        self.ids = ids.Sequence()
        self.lock = allocate_lock()
        self.owner: int | None = None
        self.file: outbox_file.OutboxFile | None = None
        self.waiting: deque[tuple[str, tuple[object, ...]]] = deque()
        self.dropped = 0
        self.reason: str | None = None
        """Why rows wait in memory; None when all is well."""
        self._last_try = -_REOPEN_AFTER_SECONDS

    def append(self, insert: str, row: tuple[object, ...]) -> None:
        """Commits one row, and those that waited before it.

        Never raises for a full, locked or missing disk.
        """
        me = get_ident()
        if self.owner == me:
            # A finalizer or a signal handler ran inside our own write, on this thread: taking the
            # lock again would hang, so the row waits for the write that it interrupted, which
            # drains the queue before it ends.
            self._wait(insert, row)
            return
        with self.lock:
            self.owner = me
            try:
                if self.file is not None and not self.waiting:
                    # The usual case is spelled out: a function more costs 0.3 us in a process
                    # whose caches are full of other work.
                    try:
                        self.file.insert(insert, row)
                    except sqlite3.Error as error:
                        if not self._write_elsewhere(error, insert, row):
                            self._wait(insert, row)
                elif self.waiting or not self._write(insert, row):
                    self._wait(insert, row)
                if self.waiting:
                    self._drain()
            finally:
                self.owner = None

    def _write(self, insert: str, row: tuple[object, ...]) -> bool:
        file = self.file or self._open()
        if file is None:
            return False
        try:
            file.insert(insert, row)
        except sqlite3.Error as error:
            return self._write_elsewhere(error, insert, row)
        return True

    def _write_elsewhere(self, error: sqlite3.Error, insert: str, row: tuple[object, ...]) -> bool:
        folder = self._lose_file(error)
        self._last_try = -_REOPEN_AFTER_SECONDS
        other = self._open(avoid=folder)
        if other is None:
            return False
        try:
            other.insert(insert, row)
        except sqlite3.Error as second:
            self._lose_file(second)
            return False
        return True

    def _lose_file(self, error: sqlite3.Error) -> str | None:
        self.reason = f"{type(error).__name__}: {error}"
        file, self.file = self.file, None
        if file is None:
            return None
        file.close()
        return file.folder

    def _drain(self) -> None:
        while self.waiting:
            insert, row = self.waiting[0]
            if not self._write(insert, row):
                return
            self.waiting.popleft()

    def _wait(self, insert: str, row: tuple[object, ...]) -> None:
        if len(self.waiting) >= MEMORY_LIMIT:
            self.waiting.popleft()
            self.dropped += 1
        self.waiting.append((insert, row))

    def _open(self, avoid: str | None = None) -> outbox_file.OutboxFile | None:
        now = time.monotonic()
        if now - self._last_try < _REOPEN_AFTER_SECONDS:
            return None
        self._last_try = now
        for folder in folders():
            if folder == avoid:
                continue
            try:
                self.file = outbox_file.OutboxFile(folder, dropped=self.dropped, reason=self.reason)
            except (OSError, sqlite3.Error) as error:
                self.reason = f"{folder}: {error}"
                continue
            self.dropped = 0
            return self.file
        return None


def folders() -> list[str]:
    """Outbox folders in the order in which they are tried.

    ANCHOR_HOME's, then the user's default home's.
    """
    homes = dict.fromkeys((settings.home(), settings.default_home()))
    return [os.path.join(home, settings.OUTBOX_FOLDER) for home in homes]


_writers: dict[int, Writer] = {}
"""By process id: a fork by C code (uWSGI) runs no fork handler and meets its parent's here."""
_inherited: list[Writer] = []
"""Writers of parent processes, kept so that no child ever closes their connection."""
_fork_lock_held = False


def write_event(event: ExceptionEvent) -> None:
    """Commits an exception event to this process's outbox."""
    own_writer().append(outbox_format.INSERT_EVENT, event)


def flush() -> int:
    """Tries to write what waits in memory; returns the number of rows that still wait."""
    writer = own_writer()
    with writer.lock:
        writer.owner = get_ident()
        try:
            writer._last_try = -_REOPEN_AFTER_SECONDS
            writer._drain()
        finally:
            writer.owner = None
    return len(writer.waiting)


@atexit.register
def _last_try() -> None:
    # Registered before the streams' own farewell, so it runs after it. Only when rows wait: a
    # process whose disk is well has nothing to do here.
    writer = _writers.get(getpid())
    if writer is not None and writer.waiting:
        flush()


def own_writer() -> Writer:
    """The writer of this process; a forked child gets a new one."""
    pid = getpid()
    # One step for threads that write their first row at the same moment, without a lock that a
    # finalizer or a signal handler on the same thread would wait for.
    return _writers.get(pid) or _writers.setdefault(pid, Writer())


def _before_fork() -> None:
    # Held across the fork, so that no other thread's write is cut in half in the child (2 of 8
    # children hung for ever without it).
    global _fork_lock_held
    writer = _writers.get(getpid())
    if writer is not None and writer.owner != get_ident():
        _fork_lock_held = writer.lock.acquire(timeout=1.0)


def _after_fork_in_parent() -> None:
    global _fork_lock_held
    if _fork_lock_held:
        _writers[getpid()].lock.release()
    _fork_lock_held = False


def _after_fork_in_child() -> None:
    global _fork_lock_held
    for writer in _writers.values():
        _inherited.append(writer)
        if writer.file is not None:
            writer.file.let_go()
    _writers.clear()
    _fork_lock_held = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
