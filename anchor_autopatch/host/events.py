"""The one way of an exception event: committed to the outbox first, told of after that.

In a storm most events are only counted (`alerting.storms`). What was counted becomes a row when
more of it happens, after five seconds by a thread that lives as long as there is something to
write, and at the end of the process.

Nothing is imported at the first failure: an import that another thread has begun stays locked in a
child that is forked meanwhile (6 of 6 hung at their first failure, when it was tried).
"""

from __future__ import annotations

import atexit
import time
from os import getpid
from typing import TYPE_CHECKING

from anchor_autopatch.core.incidents import AT_ONCE
from anchor_autopatch.host.alerting import telling
from anchor_autopatch.host.alerting.storms import Storm
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.storage import outbox
from anchor_autopatch.host.storage.real_threads import (
    allocate_lock,
    get_ident,
    start_new_thread,
)

if TYPE_CHECKING:
    from anchor_autopatch.core.records import ExceptionEvent

_HELD_SECONDS = 5.0
"""So long what was counted waits for a row, where nothing more of it happens."""


class Counting:
    """The storm of this process, under a lock, and the thread that writes what it holds."""

    def __init__(self) -> None:
        self.pid = getpid()
        self._storm = Storm()
        self._lock = allocate_lock()
        self._owner: int | None = None
        self._ticking = allocate_lock()
        """Held while the thread lives."""

    def take(self, event: ExceptionEvent) -> list[ExceptionEvent]:
        """The rows that are to be written now."""
        me = get_ident()
        if self._owner == me:
            # A finalizer or a signal handler within these very lines: it cannot wait for itself.
            return [event]
        with self._lock:
            self._owner = me
            try:
                rows = self._storm.take(event, time.monotonic())
                holding = self._storm.is_holding
            finally:
                self._owner = None
        if holding:
            self._tick()
        return rows

    def take_held(self) -> list[ExceptionEvent]:
        """Rows for all that was counted so far."""
        me = get_ident()
        if self._owner == me:
            return []
        with self._lock:
            self._owner = me
            try:
                return self._storm.take_held(time.monotonic(), of_all=True)
            finally:
                self._owner = None

    def _tick(self) -> None:
        if not self._ticking.acquire(blocking=False):
            return
        try:
            start_new_thread(self._run, ())
        except RuntimeError:
            self._ticking.release()

    def _run(self) -> None:
        pause = allocate_lock()
        pause.acquire()
        try:
            while self._storm.is_holding:
                pause.acquire(timeout=_HELD_SECONDS)
                _write_held(self)
        finally:
            self._ticking.release()


_counting: Counting | None = None


def leave(event: ExceptionEvent) -> None:
    """Commits an event, or counts it where many like it were; tells of what is an incident."""
    for row in _of_this_process().take(event):
        outbox.write_event(row)
        # Only what is on the disk: the job must find what somebody was told of.
        if row.event_class in AT_ONCE and outbox.is_committed():
            telling.offer(row)


def write_held() -> None:
    """Writes what was counted so far, as rows."""
    if _counting is not None:
        _write_held(_of_this_process())


@guarded("events")
def _write_held(counting: Counting) -> None:
    for row in counting.take_held():
        outbox.write_event(row)


def _of_this_process() -> Counting:
    global _counting
    # What a parent process has counted is the parent's to write.
    if _counting is None or _counting.pid != getpid():
        _counting = Counting()
    return _counting


atexit.register(write_held)
