"""A writer that is killed at each of its steps in turn: `python -m tests.chaos.steps`.

Its steps are what the interpreter itself tells of (audit events of files, locks, mappings and
connections; each SQL statement as it begins), so that none has to be put into the writer. Prints
what each writer acknowledged, and `step NAME` for each step that one was killed at.
"""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from anchor_autopatch.host.storage import outbox, outbox_file
from tests.chaos.writers import write_one

if TYPE_CHECKING:
    from collections.abc import Callable

_EVENTS = frozenset(
    (
        "open",
        "os.mkdir",
        "os.truncate",
        "os.remove",
        "os.rename",
        "os.link",
        "fcntl.flock",
        "mmap.__new__",
        "sqlite3.connect",
        "_thread.start_new_thread",
    )
)
_RECEIPTS = 12
_SEALED_AFTER = 7


def _watch(reached: Callable[[str], None]) -> None:
    """Calls `reached` with the name of each step that this process takes from now on."""

    connect = sqlite3.connect

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(lambda sql: reached(sql.partition("(")[0][:40]))
        return connection

    sqlite3.connect = traced  # type: ignore[assignment]
    sys.addaudithook(lambda event, _: reached(event) if event in _EVENTS else None)


def _wait_for_housekeeping() -> None:
    while outbox.own_writer().housekeeper.running:
        time.sleep(0.0005)


def _life(told: Callable[[str], object], name: str) -> None:
    """Makes a file, writes, seals it and goes on in the next, and ends in order."""
    for number in range(_RECEIPTS):
        write_one(f"{name}-{number}")
        told(f"{name}-{number}\n")
        if number == _SEALED_AFTER:
            # As at 16 MB; the thread that does it is waited for, so that each run has its steps.
            outbox_file.SEAL_BYTES = 0
            outbox.own_writer()._look_at(outbox.own_writer().file)
            _wait_for_housekeeping()
    outbox.own_writer().file.close()


def _run(number: int, kill_at: int) -> tuple[str, bool]:
    """What a forked writer told, steps among it; and whether it was killed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        told = b"".join(iter(lambda: os.read(reading, 65_536), b"")).decode()
        os.close(reading)
        return told, os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    taken = itertools.count()

    def reached(step: str) -> None:
        if next(taken) == kill_at:
            os.write(writing, f"step {step}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    _watch(reached)
    _life(lambda text: os.write(writing, text.encode()), f"step{number}")
    os._exit(0)


def main() -> None:
    """Kills a writer at its first step, one at its second, until one lives to its end."""
    for number in itertools.count():
        told, killed = _run(number, number)
        sys.stdout.write(told)
        if not killed:
            return


if __name__ == "__main__":
    main()
