"""What calls, streams and crowds of calls cost, with the provider in the process and over HTTP."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from benchmarks.measuring import Comparison, in_turns, percentile
from benchmarks.works import Samples
from examples.provider_sim import running

_ROOT = Path(__file__).resolve().parent.parent
_HOOK = _ROOT / "sitecustomize_template"
_PROCESSES = 3
"""Fresh ones for each work: memory lies elsewhere in each, and what is added with it."""


class _Bar(NamedTuple):
    metric: str
    name: str
    most_added: float | None = None
    most_ratio: float | None = None


class _Plan(NamedTuple):
    work: str
    size: int
    """Calls, streams or batches in a block."""
    share: float
    """Of the asked rounds: slow works do fewer."""
    bars: tuple[_Bar, ...]


_IN_PROCESS = (
    _Plan(
        "chat",
        12,
        1,
        (
            _Bar("wall", "chat call", 50.0),
            _Bar("p99", "chat call, 99th percentile", 200.0),
            _Bar("cpu", "chat call, CPU", None, 1.20),
        ),
    ),
    _Plan("anthropic", 12, 0.3, (_Bar("wall", "anthropic call"),)),
    _Plan(
        "stream",
        4,
        0.5,
        (
            _Bar("first", "stream, first chunk", 40.0),
            _Bar("chunk", "stream, each further chunk", 1.0),
        ),
    ),
    _Plan("together", 1, 0.3, (_Bar("wall", "200 async calls at once, each", None, 1.12),)),
    _Plan("unrelated", 60, 0.3, (_Bar("wall", "request to somebody else", 1.0),)),
)
_OVER_HTTP = (
    _Plan(
        "chat",
        12,
        0.6,
        (
            _Bar("wall", "chat call over HTTP", 50.0),
            _Bar("cpu", "chat call over HTTP, CPU", None, 1.20),
        ),
    ),
    _Plan("anthropic", 12, 0.2, (_Bar("wall", "anthropic call over HTTP"),)),
    _Plan("gemini", 12, 0.2, (_Bar("wall", "gemini call over HTTP"),)),
    _Plan("litellm", 12, 0.2, (_Bar("wall", "litellm call over HTTP"),)),
)


def compare(python: Path, rounds: int) -> Iterator[Comparison]:
    """All bars of calls, in the SDK world of this interpreter."""
    yield from _plans(python, {}, _IN_PROCESS, rounds)
    with running() as simulator:
        plans = _OVER_HTTP if _has_litellm(python) else _OVER_HTTP[:-1]
        yield from _plans(python, simulator.urls, plans, rounds)


def _has_litellm(python: Path) -> bool:
    find = "import importlib.util as u, sys; sys.exit(u.find_spec('litellm') is None)"
    return subprocess.run([python, "-c", find], check=False).returncode == 0


def _plans(
    python: Path, urls: dict[str, str], plans: Sequence[_Plan], rounds: int
) -> Iterator[Comparison]:
    found: dict[str, tuple[list[Samples], list[Samples]]] = {p.work: ([], []) for p in plans}
    for _ in range(_PROCESSES):
        with _worker(python, urls) as worker:
            for plan in plans:
                turns = max(4, round(rounds * plan.share / _PROCESSES))
                bare, hooked = in_turns(
                    (
                        lambda plan=plan: worker.take_turn(plan, hooked=False),
                        lambda plan=plan: worker.take_turn(plan, hooked=True),
                    ),
                    turns,
                )
                found[plan.work][0].extend(bare)
                found[plan.work][1].extend(hooked)
    for plan in plans:
        for bar in plan.bars:
            yield _comparison(bar, *found[plan.work])


def _comparison(bar: _Bar, bare: list[Samples], hooked: list[Samples]) -> Comparison:
    of = _tails if bar.metric == "p99" else _medians
    return Comparison(
        bar.name, "us", of(bare, bar.metric), of(hooked, bar.metric), bar.most_added, bar.most_ratio
    )


def _medians(blocks: list[Samples], metric: str) -> tuple[float, ...]:
    return tuple(statistics.median(block[metric]) for block in blocks)


def _tails(blocks: list[Samples], _metric: str) -> tuple[float, ...]:
    # A block is too small to have a 99th percentile: a fifth of all calls, five times.
    fifth = max(1, len(blocks) // 5)
    parts = (blocks[place : place + fifth] for place in range(0, fifth * 5, fifth))
    return tuple(
        percentile([us for block in part for us in block["wall"]], 0.99) for part in parts if part
    )


class _Worker:
    """A process that works when told."""

    def __init__(self, commands: IO[str], answers: IO[str]) -> None:
        self._commands = commands
        self._answers = answers

    def take_turn(self, plan: _Plan, *, hooked: bool) -> Samples:
        """The samples of one block."""
        asked = {"work": plan.work, "hooked": hooked, "count": plan.size}
        self._commands.write(json.dumps(asked) + "\n")
        self._commands.flush()
        answer: Samples = json.loads(self._answers.readline())
        return answer


@contextmanager
def _worker(python: Path, urls: dict[str, str]) -> Iterator[_Worker]:
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            [python, "-m", "benchmarks.worker", json.dumps(urls)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(home),
            cwd=_ROOT,
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("The worker has no pipes")
        try:
            yield _Worker(process.stdin, process.stdout)
        finally:
            process.stdin.close()
            process.wait(timeout=30)


def environment(home: str | None) -> dict[str, str]:
    """This process's environment with the hook on and its home here; without the hook for None."""
    environ = {
        key: value for key, value in os.environ.items() if not key.startswith(("ANCHOR_", "PYTHON"))
    }
    # LiteLLM would ask the network for its price table.
    environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    if home is None:
        return environ | {"PYTHONPATH": str(_ROOT)}
    return environ | {
        "PYTHONPATH": os.pathsep.join((str(_HOOK), str(_ROOT))),
        "ANCHOR_HOME": home,
        "ANCHOR_PROVIDER_HOSTS": "127.0.0.1=sdk",
        "ANCHOR_TEAM": "bench",
    }
