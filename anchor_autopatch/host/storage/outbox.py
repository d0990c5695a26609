"""The durable outbox.

One SQLite file at a time per process, a row is committed before the user's call returns; WAL with
the checkpoint left to the job and to a thread of its own (it is the 4 ms tail), and a gapless
sequence and a checksum per row.
"""

from __future__ import annotations

import atexit
import os
from os import getpid
from typing import TYPE_CHECKING, Any

from anchor_autopatch.core import outbox_format
from anchor_autopatch.host.startup import in_subinterpreter
from anchor_autopatch.host.storage import outbox_file
from anchor_autopatch.host.storage.real_threads import get_ident
from anchor_autopatch.host.storage.writer import MEMORY_LIMIT, Writer, folders

if TYPE_CHECKING:
    from anchor_autopatch.core.records import ExceptionEvent

__all__ = [
    "MEMORY_LIMIT",
    "Writer",
    "flush",
    "folders",
    "is_committed",
    "own_writer",
    "write_event",
]

_FORK_WAITS_SECONDS = 1.0

# `record()` may be called where the hook has stayed away. Asked here, not at the first row: an
# import that one thread has begun is never ended in a child that another one forks meanwhile.
_OFF = "this is a subinterpreter" if in_subinterpreter() else None

_writers: dict[int, Writer] = {}
"""By process id: a fork by C code (uWSGI) runs no fork handler and meets its parent's here."""
_inherited: list[Writer] = []
"""Writers of parent processes, kept so that no child ever closes their connection."""
_held: list[Any] = []
"""Locks that this thread holds while it forks."""


def write_event(event: ExceptionEvent) -> None:
    """Commits an exception event to this process's outbox."""
    own_writer().append(outbox_format.INSERT_EVENT, event)


def is_committed() -> bool:
    """Whether all rows so far are on the disk: none waits in memory, and none is kept nowhere."""
    writer = own_writer()
    return writer.file is not None and not writer.waiting


def flush() -> int:
    """Tries to write what waits in memory; returns the number of rows that still wait."""
    return own_writer().flush()


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
    return _writers.get(pid) or _writers.setdefault(pid, _new_writer())


def _new_writer() -> Writer:
    return Writer(off=_OFF)


def _before_fork() -> None:
    # Held across the fork, so that no other thread's write is cut in half in the child (2 of 8
    # children hung for ever without it), and no file is half made or half closed.
    writer = _writers.get(getpid())
    if writer is None:
        return
    locks = [writer.housekeeper.in_sqlite]
    if writer.owner != get_ident():
        locks.append(writer.lock)
    _held.extend(lock for lock in locks if lock.acquire(timeout=_FORK_WAITS_SECONDS))


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop().release()


def _after_fork_in_child() -> None:
    _inherited.extend(_writers.values())
    _writers.clear()
    _held.clear()
    outbox_file.let_go_of_all()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
