"""Hands a failure that may open an incident to a thread of its own, which tells of it.

The application's thread does no more than look whether this cause was told of already. The thread
begins with the first failure that may need telling, and ends when there is nothing more to tell.
What it cannot tell is told by the job: the failure is in the outbox before it is offered here.
"""

from __future__ import annotations

import atexit
import os

# Whoever imports it first is taken for the main thread by Python before 3.13, and waited for at the
# end: never our own thread, whose imports bring it.
import threading  # noqa: F401 - as above
import time
from collections import deque
from os import getpid
from typing import TYPE_CHECKING

from anchor_autopatch.core.fingerprint import fingerprint
from anchor_autopatch.core.incidents import AT_ONCE
from anchor_autopatch.host import configuration, patching
from anchor_autopatch.host.storage.real_threads import allocate_lock, get_ident, start_new_thread

if TYPE_CHECKING:
    from anchor_autopatch.core.records import ExceptionEvent

TARGET = "alerting"
_ALERT_URL = "ANCHOR_ALERT_URL"
_LOOK_AGAIN_SECONDS = 600.0
"""How long a cause that somebody has told of is left alone before its claim is looked at again."""
_CAUSES = 1_000
_WAITING = 100
_EXIT_WAITS_SECONDS = 0.03
_FORK_WAITS_SECONDS = 1.0


class Teller:
    """What one process has told of, and what waits for its thread."""

    def __init__(self) -> None:
        self.pid = getpid()
        self.steady = allocate_lock()
        """Held by the thread while a fork would leave the child with half of its work."""
        self.thread: int | None = None
        self._busy = allocate_lock()
        """Held while the thread is at work. Never waited for by the application."""
        self._waiting: deque[tuple[str, ExceptionEvent]] = deque()
        self._quiet_until: dict[str, float] = {}

    def offer(self, event: ExceptionEvent) -> None:
        """Has the thread tell of the event, unless its cause is known."""
        cause, now = fingerprint(event), time.monotonic()
        if cause is None or self._quiet_until.get(cause, now) > now:
            return
        if len(self._waiting) >= _WAITING or len(self._quiet_until) >= _CAUSES:
            # A storm of causes is the job's, which tells of many in one message.
            self._forget(now)
            return
        self._quiet_until[cause] = now + _LOOK_AGAIN_SECONDS
        self._waiting.append((cause, event))
        self._start()

    def wait(self, seconds: float) -> None:
        """Returns when nothing is under way any more, at the latest after so many seconds."""
        if self._busy.acquire(timeout=seconds):
            self._busy.release()
            if self._waiting:
                # Offered in this very moment, to a thread that seemed to be at work.
                self._start()

    def _start(self) -> None:
        # Without waiting: this may run in a finalizer, inside of any other line here.
        if not self._busy.acquire(blocking=False):
            return
        try:
            start_new_thread(self._run, ())
        except RuntimeError:
            # The process may have no more threads, or is about to end.
            self._busy.release()

    def _run(self) -> None:
        while True:
            self.thread = get_ident()
            try:
                while self._waiting:
                    _tell(self, *self._waiting.popleft())
            finally:
                self.thread = None
                self._busy.release()
            # What was offered after the last look found the thread busy.
            if not self._waiting or not self._busy.acquire(blocking=False):
                return

    def _forget(self, now: float) -> None:
        over = [cause for cause, until in self._quiet_until.items() if until <= now]
        for cause in over:
            del self._quiet_until[cause]


@patching.guarded(TARGET)
def _tell(teller: Teller, cause: str, event: ExceptionEvent) -> None:
    with teller.steady:
        # Here, not above: http.client and ssl are nothing that an application without failures
        # should load. Under the lock: the lock of a half-made import stays locked in a child.
        from anchor_autopatch.host.alerting import first
    first.tell(cause, event, teller.steady)


_teller = Teller()


@patching.guarded(TARGET)
def offer(event: ExceptionEvent) -> None:
    """Tells of an event that is committed, if it alone makes an incident and anybody is told."""
    if event.event_class not in AT_ONCE or TARGET in patching.off or not _anybody_is_told():
        return
    teller = _of_this_process()
    # What fails while we tell is told by the job.
    if teller.thread != get_ident():
        teller.offer(event)


def _anybody_is_told() -> bool:
    return bool(os.environ.get(_ALERT_URL)) or bool(configuration.table("alerts").get("sink"))


def _of_this_process() -> Teller:
    global _teller
    # A fork by C code (uWSGI) runs no handler.
    if _teller.pid != getpid():
        _teller = Teller()
    return _teller


@atexit.register
def _last_moment() -> None:
    # A message to a receiver nearby needs a few milliseconds; what is not told by then is told by
    # the job, under the same key.
    if _teller.pid == getpid():
        _teller.wait(_EXIT_WAITS_SECONDS)


_held = False


def _before_fork() -> None:
    global _held
    _held = _teller.steady.acquire(timeout=_FORK_WAITS_SECONDS)


def _after_fork_in_parent() -> None:
    if _held:
        _teller.steady.release()


def _after_fork_in_child() -> None:
    global _teller
    _teller = Teller()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
