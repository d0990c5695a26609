"""Work on outbox files that takes milliseconds, on a thread of its own.

The thread lives only as long as the work. A fork waits for it: the child would inherit whatever
lock of SQLite's it held, without the thread that gives it back.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from anchor_autopatch.host.storage.real_threads import allocate_lock, start_new_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from anchor_autopatch.host.storage.outbox_file import OutboxFile


class Housekeeper:
    """Runs one piece of work at a time, beside the application's threads."""

    def __init__(self) -> None:
        self.in_sqlite = allocate_lock()
        """Held while a file is made or closed."""
        self.running = False
        """A thread is at work."""
        self._to_close: list[OutboxFile] = []

    def start(self, work: Callable[[], None]) -> None:
        """Begins the work, unless the last one is still under way or no thread can be had."""
        if self.running:
            return
        self.running = True
        try:
            start_new_thread(self._run, (work,))
        except RuntimeError:
            # The process may have no more threads, or is about to end.
            self.running = False

    def close_later(self, file: OutboxFile) -> None:
        """Closes a file in a while; the job may have it from then on."""
        self._to_close.append(file)
        self.start(self.close_files)

    def close_files(self) -> None:
        """Closes what is to be closed. Closing copies the log into the database: 16 MB of it."""
        while self._to_close:
            file = self._to_close.pop()
            with self.in_sqlite:
                file.close()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (OSError, sqlite3.Error, MemoryError):
            # The writer goes on with the file that it has, and tries again later.
            return
        finally:
            self.running = False
