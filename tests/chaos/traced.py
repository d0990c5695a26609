"""A short writer for strace to kill or to fail: `python -m tests.chaos.traced NAME`.

Tells each acknowledged receipt on its standard output at once. Receipts in memory are none: a row
counts when nothing waits.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import suppress

from anchor_autopatch.host.storage import outbox
from tests.chaos.writers import write_one

_RECEIPTS = 10
_SEALED_AFTER = 4


def main(name: str) -> None:
    """Writes, seals its file and goes on in the next; ends in order."""
    writer = outbox.own_writer()
    for number in range(_RECEIPTS):
        write_one(f"{name}-{number}")
        if not writer.waiting:
            os.write(1, f"{name}-{number}\n".encode())
        if number == _SEALED_AFTER:
            # On this thread, because strace counts the calls of each thread by themselves.
            with suppress(OSError, sqlite3.Error):
                writer._change_file()
    if outbox.flush() == 0:
        os.write(1, f"{name}-{_RECEIPTS - 1}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1])
