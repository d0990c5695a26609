"""An application that writes so many receipts: `python -m tests.chaos.filling COUNT`.

Prints how many of them are durable and how many wait in memory when it is about to be killed.
"""

from __future__ import annotations

import os
import signal
import sys

from anchor_autopatch.host.storage import outbox
from tests.chaos.writers import write_one


def main(count: int) -> None:
    """Writes them and dies."""
    for number in range(count):
        write_one(f"filling-{number}")
    waiting = len(outbox.own_writer().waiting)
    os.write(1, f"{count - waiting}\n{waiting}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
