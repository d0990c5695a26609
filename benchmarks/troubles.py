"""What can be wrong while a program calls and leaves: no folder, a full disk, a locked outbox."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_HOLD = """
import sqlite3, sys
held = [sqlite3.connect(path, isolation_level=None) for path in sys.argv[1:]]
for connection in held:
    connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


def nothing(_home: str) -> dict[str, str]:
    """Our own side is well."""
    return {}


def no_home(_home: str) -> dict[str, str]:
    """Neither the asked home nor the user's own can be made: everything waits in memory."""
    return {"ANCHOR_HOME": "/dev/null/home", "HOME": "/dev/null", "XDG_STATE_HOME": "/dev/null/x"}


def full_disk(_home: str) -> dict[str, str]:
    """No file can grow any more; see `begin`."""
    return {"BENCH_TROUBLE": "disk"}


def locked_outbox(_home: str) -> dict[str, str]:
    """Another process holds the write lock of every outbox; see `begin`."""
    return {"BENCH_TROUBLE": "lock"}


TROUBLES: dict[str, Callable[[str], dict[str, str]]] = {
    "provider down": nothing,
    "no home": no_home,
    "disk full": full_disk,
    "outbox locked": locked_outbox,
}
"""Name -> what it adds to the environment of a process with this home."""


def begin() -> object:
    """Makes the trouble that this process was started for; to be held until it leaves."""
    asked = os.environ.get("BENCH_TROUBLE")
    if asked == "disk":
        _fill_disk()
    return _hold_outboxes(os.environ["ANCHOR_HOME"]) if asked == "lock" else None


def _fill_disk() -> None:
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _hold_outboxes(home: str) -> subprocess.Popen[str]:
    # Ends by itself when this process does, and with it the pipe. Without our hook: it must leave
    # no outbox of its own.
    holder = subprocess.Popen(
        [sys.executable, "-S", "-c", _HOLD, *Path(home, "outbox").glob("*.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={},
    )
    if holder.stdout is None or holder.stdout.readline() != "held\n":
        raise RuntimeError(f"The outboxes of {home!r} could not be locked")
    return holder
