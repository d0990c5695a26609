"""Writers that are killed at random instants: `python -m tests.chaos.writers KILLS SEED`.

One warm process forks them, so that ten thousand cost seconds; each tells the receipts that it was
told are written over a pipe. Prints every acknowledged response id, one on a line.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from itertools import count

from anchor_autopatch import record
from anchor_autopatch.host.storage import outbox, outbox_file

_USAGE = {"prompt_tokens": 1234, "completion_tokens": 567, "details": {"cached_tokens": 89}}
_MAKING = 0.3
"""Of the writers, killed about when they make their file; the others between two receipts."""
_THREADED = 0.2
_SEALING = 0.2
"""Seal their file every 64 rows, so that they die while one is made or closed."""
_ENDS = 65_536


def write_one(name: str) -> None:
    """One receipt with this response id; it is durable when this returns."""
    record({"id": name, "usage": _USAGE}, provider="openai")


def _write_for_ever(pipe: int, name: str) -> None:
    for number in count():
        write_one(f"{name}-{number}")
        os.write(pipe, f"{name}-{number}\n".encode())


def _fork_writer(name: str, threads: int, *, sealing: bool) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    os.close(reading)
    if sealing:
        outbox_file.SEAL_BYTES = 1
    for thread in range(1, threads):
        work = threading.Thread(target=_write_for_ever, args=(writing, f"{name}.{thread}"))
        work.start()
    _write_for_ever(writing, name)
    raise AssertionError("unreachable")


def _kill_one(rng: random.Random, name: str) -> str:
    """Returns what a writer acknowledged before it was killed."""
    threads, sealing = 3 if rng.random() < _THREADED else 1, rng.random() < _SEALING
    pid, pipe = _fork_writer(name, threads, sealing=sealing)
    told = b""
    if rng.random() < _MAKING:
        time.sleep(rng.uniform(0, 0.005))
    else:
        wanted = rng.randint(60, 200) if sealing else rng.randint(1, 40)
        while told.count(b"\n") < wanted:
            told += os.read(pipe, _ENDS)
        time.sleep(rng.uniform(0, 0.0003))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    while more := os.read(pipe, _ENDS):
        told += more
    os.close(pipe)
    return told.decode()


def main(kills: int, seed: int) -> None:
    """Kills that many writers."""
    rng = random.Random(seed)
    # The parent has an outbox too, as a server has that forks its workers after its first call.
    write_one(f"parent{seed}-0")
    sys.stdout.write(f"parent{seed}-0\n")
    assert outbox.own_writer().file is not None
    for number in range(kills):
        sys.stdout.write(_kill_one(rng, f"w{seed}.{number}"))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
