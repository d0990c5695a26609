"""What one call costs.

A bare and a hooked process take turns at the same work against one simulator.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from benchmarks.measuring import Comparison, show
from examples.provider_sim import running

_ROOT = Path(__file__).resolve().parent.parent
_HOOK = _ROOT / "sitecustomize_template"
_BARS = {
    "chat": (50.0, 1.20),
    "stream": (None, None),
    "anthropic": (None, None),
    "gemini": (None, None),
}


def compare(world: str, python: Path, rounds: int) -> list[Comparison]:
    """Call bars: +50 us and 1.20x for a chat call with its receipt on disk."""
    results = []
    with running() as simulator, tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        bare = stack.enter_context(_worker(python, simulator.urls, None))
        hooked = stack.enter_context(_worker(python, simulator.urls, Path(home)))
        for work, (added, ratio) in _BARS.items():
            for clock in ("wall", "cpu"):
                samples = _turns(bare, hooked, work, clock, rounds)
                bars = (added, ratio) if clock == "wall" else (None, ratio)
                results.append(
                    show(Comparison(f"{world}: {work} call, {clock}", "us", *samples, *bars))
                )
    return results


def _turns(
    bare: _Worker, hooked: _Worker, work: str, clock: str, rounds: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    samples: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 2):
        # Who goes first changes, so that a drifting machine favours neither.
        order = (0, 1) if turn % 2 else (1, 0)
        for side in order:
            took = (bare, hooked)[side].take_turn(work, clock)
            if turn >= 2:
                samples[side].append(took)
    return tuple(samples[0]), tuple(samples[1])


class _Worker:
    """A process that runs blocks of calls when told, and says what one of them took."""

    def __init__(self, process: subprocess.Popen[str], commands: IO[str], answers: IO[str]) -> None:
        self._process = process
        self._commands = commands
        self._answers = answers

    def take_turn(self, work: str, clock: str) -> float:
        """Median microseconds of one call in a block (wall), or the block's mean (CPU)."""
        self._commands.write(f"{work}\n")
        self._commands.flush()
        answer = json.loads(self._answers.readline())
        return statistics.median(answer["wall"]) if clock == "wall" else answer["cpu"]


@contextmanager
def _worker(python: Path, urls: dict[str, str], home: Path | None) -> Iterator[_Worker]:
    environ = {
        key: value for key, value in os.environ.items() if not key.startswith(("ANCHOR_", "PYTHON"))
    }
    environ["PYTHONPATH"] = str(_ROOT)
    if home is not None:
        environ["PYTHONPATH"] = os.pathsep.join((str(_HOOK), str(_ROOT)))
        environ |= {
            "ANCHOR_HOME": str(home),
            "ANCHOR_PROVIDER_HOSTS": "127.0.0.1=sdk",
            "ANCHOR_TEAM": "bench",
        }
    process = subprocess.Popen(
        [python, "-m", "benchmarks.worker", json.dumps(urls)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environ,
        cwd=_ROOT,
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("The worker has no pipes")
    try:
        yield _Worker(process, process.stdin, process.stdout)
    finally:
        process.stdin.close()
        process.wait(timeout=30)
