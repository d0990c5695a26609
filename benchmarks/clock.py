"""A clock that stands still while other processes have the processor.

On a machine with more to do than processors, a call of 0.5 ms is interrupted for some milliseconds
now and then; that is nobody's doing here. Waiting for a disk, a lock or an answer is counted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

_OWN = "/proc/thread-self/schedstat"


def run_delay_ns(path: str = _OWN) -> int:
    """How long a thread was ready to run and did not, since it began; 0 where nobody tells."""
    # Second of three numbers; see sched-stats in the documentation of the Linux kernel.
    try:
        return int(Path(path).read_text(encoding="ascii").split()[1])
    except OSError:
        return 0


def stopwatch() -> Callable[[Callable[[], object]], float]:
    """A function that runs another one and gives the microseconds that it took."""
    try:
        descriptor = os.open(_OWN, os.O_RDONLY)
    except OSError:
        return lambda work: _took(work, lambda: 0)
    return lambda work: _took(work, lambda: int(os.pread(descriptor, 64, 0).split()[1]))


def _took(work: Callable[[], object], delay_ns: Callable[[], int]) -> float:
    delayed = delay_ns()
    began = time.perf_counter_ns()
    work()
    took = time.perf_counter_ns() - began
    return (took - (delay_ns() - delayed)) / 1000
