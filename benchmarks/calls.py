"""What calls, streams and crowds of calls cost, with the provider in the process and over HTTP."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks.measuring import Comparison, in_turns, percentile
from benchmarks.workers import Worker, worker
from benchmarks.works import Samples
from examples.provider_sim import running


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
    alone: bool = False
    """One process does both halves, the hook taken off for one: two processes that run the same
    code differ by some percent as long as they live, which is more than 1 us."""


class _Pair(NamedTuple):
    """The blocks of a work in two processes, in turns."""

    bare: list[Samples]
    hooked: list[Samples]


_IN_PROCESS = (
    _Plan(
        "chat",
        20,
        1,
        (
            _Bar("wall", "chat call", 50.0),
            _Bar("p99", "chat call, 99th percentile", 200.0),
            _Bar("cpu", "chat call, CPU", None, 1.20),
        ),
    ),
    _Plan("anthropic", 20, 0.3, (_Bar("wall", "anthropic call"),)),
    _Plan("stream", 3, 0.3, (_Bar("first", "stream, first chunk", 40.0),)),
    _Plan("stream", 3, 0.6, (_Bar("chunk", "stream, each further chunk", 1.0),), alone=True),
    _Plan("together", 1, 0.3, (_Bar("wall", "200 async calls at once, each", None, 1.12),)),
    _Plan("unrelated", 50, 0.4, (_Bar("wall", "request to somebody else", 1.0),), alone=True),
)
_OVER_HTTP = (
    _Plan(
        "chat",
        20,
        0.6,
        (
            _Bar("wall", "chat call over HTTP", 50.0),
            _Bar("cpu", "chat call over HTTP, CPU", None, 1.20),
        ),
    ),
    _Plan("anthropic", 20, 0.2, (_Bar("wall", "anthropic call over HTTP"),)),
    _Plan("gemini", 20, 0.2, (_Bar("wall", "gemini call over HTTP"),)),
    _Plan("litellm", 20, 0.2, (_Bar("wall", "litellm call over HTTP"),)),
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
    pairs: list[list[_Pair]] = [[] for _ in plans]
    # Memory lies elsewhere in each process: what is added has to show in several.
    for _ in range(max(4, rounds // 12)):
        with ExitStack() as stack:
            bare = stack.enter_context(worker(python, urls, hooked=False))
            hooked = stack.enter_context(worker(python, urls, hooked=True))
            for plan, found in zip(plans, pairs, strict=True):
                found.append(_turns(plan, bare, hooked, max(4, round(12 * plan.share))))
    for plan, found in zip(plans, pairs, strict=True):
        yield from (_comparison(bar, found) for bar in plan.bars)


def _turns(plan: _Plan, bare: Worker, hooked: Worker, rounds: int) -> _Pair:
    sides = (
        lambda: (hooked if plan.alone else bare).take_turn(
            plan.work, plan.size, unhooked=plan.alone
        ),
        lambda: hooked.take_turn(plan.work, plan.size),
    )
    return _Pair(*in_turns(sides, rounds))


def _comparison(bar: _Bar, pairs: list[_Pair]) -> Comparison:
    of = _tails if bar.metric == "p99" else _medians
    bare, hooked = zip(*(of(pair, bar.metric) for pair in pairs), strict=True)
    return Comparison(bar.name, "us", bare, hooked, bar.most_added, bar.most_ratio)


def _medians(pair: _Pair, metric: str) -> tuple[float, float]:
    bare, hooked = ([statistics.median(block[metric]) for block in side] for side in pair)
    added = statistics.median(h - b for b, h in zip(bare, hooked, strict=True))
    usual = statistics.median(bare)
    return usual, usual + added


def _tails(pair: _Pair, _metric: str) -> tuple[float, float]:
    bare, hooked = (
        percentile([us for block in side for us in block["wall"]], 0.99) for side in pair
    )
    return bare, hooked
