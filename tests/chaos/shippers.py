"""Ten shippers at once, each killed at a named step: `python -m tests.chaos.shippers KILLS SEED`.

All of them are `anchor ship` on one home, over and over, while writers go on writing there and
files that are no outbox turn up. Prints each acknowledged response id, and `killed STEP` for each
kill.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from anchor_autopatch.cli import main as anchor
from anchor_autopatch.core import crash_points
from anchor_autopatch.core.settings import home
from anchor_autopatch.host.storage import outbox, outbox_file
from anchor_autopatch.job import ship, warehouse
from tests.chaos.writers import write_one

if TYPE_CHECKING:
    from collections.abc import Callable

_IMPORTED = (ship, warehouse)
"""Before the first fork: DuckDB takes a quarter of a second."""
_AT_ONCE = 10
_LATEST_STEP = 20
_FOREIGN = 0.1
_PIPE_BYTES = 65_536


def _fork(work: Callable[[int], None]) -> tuple[int, int]:
    """A child that does the work and ends; what it is given to write to, we may read."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    os.close(reading)
    work(writing)
    os._exit(0)


def _ship_until_killed(rng: random.Random, pipe: int) -> None:
    left = rng.randrange(_LATEST_STEP)

    def reached(step: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.write(pipe, f"killed {step}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    with crash_points.watched(reached):
        while True:
            anchor(["ship", "--home", home()])
            time.sleep(rng.uniform(0, 0.02))


def _write(rng: random.Random, name: str, pipe: int) -> None:
    """A process of an application: short, and in one of three cases killed."""
    outbox_file.SEAL_BYTES = rng.choice((1, outbox_file.SEAL_BYTES))
    for number in range(rng.choice((1, 5, 70))):
        write_one(f"{name}-{number}")
        os.write(pipe, f"{name}-{number}\n".encode())
    if rng.random() < 1 / 3:
        os.kill(os.getpid(), signal.SIGKILL)


def _told(pipe: int) -> str:
    told = b"".join(iter(lambda: os.read(pipe, _PIPE_BYTES), b""))
    os.close(pipe)
    return told.decode()


def _feed(rng: random.Random, name: str) -> str:
    """Lets one process write; returns what it acknowledged."""
    seed = rng.random()
    pid, pipe = _fork(lambda pipe: _write(random.Random(seed), name, pipe))
    told = _told(pipe)
    os.waitpid(pid, 0)
    if rng.random() < _FOREIGN:
        Path(home(), "outbox", f"foreign-{name}.db").write_bytes(rng.randbytes(rng.randrange(99)))
    return told


def _start(rng: random.Random) -> tuple[int, int]:
    seed = rng.random()
    return _fork(lambda pipe: _ship_until_killed(random.Random(seed), pipe))


def main(kills: int, seed: int) -> None:
    """Kills that many shippers; whenever one dies another one begins."""
    rng = random.Random(seed)
    assert not outbox._writers
    sys.stdout.write(_feed(rng, "first"))
    shippers = dict(_start(rng) for _ in range(_AT_ONCE))
    killed = 0
    for number in itertools.count():
        # Fed until one dies: what has nothing to ship passes no step.
        sys.stdout.write(_feed(rng, f"s{seed}.{number}"))
        while killed < kills and (pid := os.waitpid(-1, os.WNOHANG)[0]):
            sys.stdout.write(_told(shippers.pop(pid)))
            shippers |= [_start(rng)]
            killed += 1
        if killed == kills:
            break
        time.sleep(0.02)
    for pid in shippers:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
