"""Named steps at which a test lets a process die, to prove that dying there costs nothing.

A step costs next to nothing while nobody watches. `ANCHOR_CRASH_POINT=NAME:N` makes this process
kill itself (SIGKILL: no handler, no flush) when it reaches that step for the N-th time. The job
has such steps, and in an application the thread that tells of an incident.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Observer = Callable[[str], None]

VARIABLE = "ANCHOR_CRASH_POINT"

_watching: list[Observer] = []


def reached(step: str) -> None:
    """Tells whoever watches that this step is about to be left."""
    for observer in _watching:
        observer(step)


@contextmanager
def watched(observer: Observer) -> Iterator[None]:
    """Calls the observer at every step within the block; it may raise."""
    _watching.append(observer)
    try:
        yield
    finally:
        _watching.remove(observer)


def _killer(step: str, times: int) -> Observer:
    left = times

    def kill(reached_step: str) -> None:
        nonlocal left
        left -= reached_step == step
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return kill


# Read once, at import: a step is then a loop over an empty list in all processes but a test's.
if os.environ.get(VARIABLE):
    _step, _, _times = os.environ[VARIABLE].rpartition(":")
    _watching.append(_killer(_step, int(_times)))
