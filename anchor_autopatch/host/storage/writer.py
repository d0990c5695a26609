"""The writer of a process: each row is committed before it returns, or kept and counted.

One connection under one lock (a connection per thread had a 231 ms tail). When a file cannot be
written the next folder is tried, then rows wait in memory, bounded and with exact counts; the
application never notices. A file of about 16 MB is sealed: the next one is made, and the full one
closed, off the application's threads.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import deque

from anchor_autopatch.core import outbox_format, settings
from anchor_autopatch.host import ids
from anchor_autopatch.host.storage import outbox_file
from anchor_autopatch.host.storage.housekeeping import Housekeeper
from anchor_autopatch.host.storage.quota import expect_free_disk
from anchor_autopatch.host.storage.real_threads import allocate_lock, get_ident

MEMORY_LIMIT = 10_000
"""Rows kept in memory while no folder can be written."""
_REOPEN_AFTER_SECONDS = 5.0
_DRAIN_AT_ONCE = 200
"""Rows from memory that one call of the application writes: about 4 ms."""
_LOOK_EVERY = 63
"""A file's size is looked at when this mask of its row count is 0: every 64 rows."""


class Writer:
    """Appends rows to this process's outbox; knows what to do when that fails."""

    def __init__(self, off: str | None = None) -> None:
        self.off = off
        """Why this writer never opens a file, and keeps nothing; None when it does."""
        self.ids = ids.Sequence()
        self.lock = allocate_lock()
        self.owner: int | None = None
        self.file: outbox_file.OutboxFile | None = None
        self.waiting: deque[tuple[str, tuple[object, ...]]] = deque()
        self.dropped = 0
        """Rows lost from memory that no file has told of yet."""
        self.reason: str | None = None
        """Why rows wait in memory, or went to another file; None when all is well."""
        self.housekeeper = Housekeeper()
        self._failed = False
        """A file in use has failed, or rows had to wait, and no file has told of it yet."""
        self._last_try = -_REOPEN_AFTER_SECONDS

    def append(self, insert: str, row: tuple[object, ...]) -> None:
        """Commits one row, and some of those that waited before it.

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
                file = self.file
                if file is not None and not self.waiting:
                    # The usual case is spelled out: a function more costs 0.3 us in a process
                    # whose caches are full of other work.
                    try:
                        file.insert(insert, row)
                        if not file.sequence & _LOOK_EVERY:
                            self._look_at(file)
                    except sqlite3.Error as error:
                        self._rescue(error, insert, row)
                elif self.waiting or not self._write(insert, row):
                    self._wait(insert, row)
                if self.waiting:
                    self._drain(_DRAIN_AT_ONCE)
            finally:
                self.owner = None

    def flush(self) -> int:
        """Tries to write all that waits in memory; returns the number of rows that still wait."""
        me = get_ident()
        if self.owner == me:
            # In a signal handler, during a write: that write drains the queue.
            return len(self.waiting)
        with self.lock:
            self.owner = me
            try:
                self._last_try = -_REOPEN_AFTER_SECONDS
                self._drain(MEMORY_LIMIT)
            finally:
                self.owner = None
        return len(self.waiting)

    def _write(self, insert: str, row: tuple[object, ...]) -> bool:
        file = self.file or self._open()
        if file is None:
            return False
        try:
            file.insert(insert, row)
        except sqlite3.Error as error:
            return self._write_elsewhere(error, insert, row)
        return True

    def _rescue(self, error: sqlite3.Error, insert: str, row: tuple[object, ...]) -> None:
        if not self._write_elsewhere(error, insert, row):
            self._wait(insert, row)

    def _look_at(self, file: outbox_file.OutboxFile) -> None:
        try:
            expect_free_disk(file.folder)
        except OSError as error:
            self._lose_file(error)
            return
        if file.is_full():
            self.housekeeper.start(self._change_file)

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

    def _lose_file(self, error: Exception) -> str | None:
        self.reason = f"{type(error).__name__}: {error}"
        self._failed = True
        file, self.file = self.file, None
        if file is None:
            return None
        # What it holds is the job's to ship.
        self.housekeeper.close_later(file)
        return file.folder

    def _drain(self, at_most: int) -> None:
        while self.waiting and at_most:
            insert, row = self.waiting[0]
            if not self._write(insert, row):
                return
            self.waiting.popleft()
            at_most -= 1

    def _wait(self, insert: str, row: tuple[object, ...]) -> None:
        if self.off is not None:
            return
        if self.file is None:
            self._failed = True
        if len(self.waiting) >= MEMORY_LIMIT:
            self.waiting.popleft()
            self.dropped += 1
        self.waiting.append((insert, row))

    def _open(self, avoid: str | None = None) -> outbox_file.OutboxFile | None:
        now = time.monotonic()
        if self.off is not None or now - self._last_try < _REOPEN_AFTER_SECONDS:
            return None
        self._last_try = now
        self.file = self._make_file(avoid)
        if self.file is not None and self._failed:
            self._tell(self.file)
        return self.file

    def _make_file(self, avoid: str | None = None) -> outbox_file.OutboxFile | None:
        """A new file in the first folder that takes one; None when none does."""
        for folder in folders():
            if folder == avoid:
                continue
            try:
                file = outbox_file.OutboxFile(folder, dropped=self.dropped, reason=self.reason)
            except (OSError, sqlite3.Error) as error:
                self.reason = f"{folder}: {error}"
                continue
            if not self._failed:
                self.reason = None
            return file
        return None

    def _tell(self, file: outbox_file.OutboxFile) -> None:
        """Leaves an exception event about the time in which no file could be written."""
        from anchor_autopatch.host.failures import unwritable_event

        event = unwritable_event(self.reason or "", self.dropped, len(self.waiting))
        try:
            file.insert(outbox_format.INSERT_EVENT, event)
        except sqlite3.Error as error:
            self._lose_file(error)
            return
        self.dropped, self.reason, self._failed = 0, None, False

    def _change_file(self) -> None:
        """Goes on in a new file; runs on the housekeeper's thread."""
        with self.housekeeper.in_sqlite:
            following = self._make_file()
        with self.lock:
            # A finalizer may run on this thread too, and write a receipt.
            self.owner = get_ident()
            try:
                old = self.file
                if following is not None:
                    self.file = following
                elif old is not None and old.is_overfull():
                    # Nobody ships, and the outboxes may take no more: memory is next.
                    self._lose_file(outbox_file.FullError(self.reason))
            finally:
                self.owner = None
        if following is not None and old is not None:
            self.housekeeper.close_later(old)
        self.housekeeper.close_files()


def folders() -> list[str]:
    """Outbox folders in the order in which they are tried.

    ANCHOR_HOME's, then the user's default home's.
    """
    homes = dict.fromkeys((settings.home(), settings.default_home()))
    return [os.path.join(home, settings.OUTBOX_FOLDER) for home in homes]
