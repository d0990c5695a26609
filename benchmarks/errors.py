"""What a failure costs more that leaves an event, and what is watched where nothing fails.

No server is asked but one port at which nobody listens: the work of others would hide microseconds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.measuring import Comparison, in_turns
from benchmarks.requests import block, start

_IDLE_US = 2.0
_FAILED_US = 200.0
_BARS = {
    "logged below": ("log line below ERROR", _IDLE_US),
    "redis": ("redis: command that succeeds", _IDLE_US),
    "logged": ("error that is logged", _FAILED_US),
    "storm": ("error that is logged, in a storm", _FAILED_US),
    "exception": ("exception that is logged", _FAILED_US),
    "503": ("requests: answer 503", _FAILED_US),
    "no answer": ("requests: no connection", _FAILED_US),
    "redis gone": ("redis: no connection", _FAILED_US),
}


def compare(rounds: int) -> Iterator[Comparison]:
    """Bars of issue 8: +2 us where nothing is wrong, +200 us on the way of an error."""
    for work, (name, bar) in _BARS.items():
        yield _turns(work, name, bar, rounds)


def _turns(work: str, name: str, bar: float, rounds: int) -> Comparison:
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        bare, hooked = (start("errors_worker", work, each, stack) for each in (None, home))
        found = in_turns((lambda: block(bare, work), lambda: block(hooked, work)), rounds)
    return Comparison(name, "us", tuple(found[0]), tuple(found[1]), bar)
