"""`make bench`: what the hook costs, bare and hooked in turns, in every SDK world installed.

Method and last figures: docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import calls, errors, processes, requests, table
from benchmarks.measuring import Comparison

ROOT = Path(__file__).resolve().parent.parent
WORLDS = {name: ROOT / ".venvs" / name / "bin" / "python" for name in ("a", "b")}
PAGE = ROOT / "docs" / "performance.md"
_PARTS: dict[str, Callable[[Path, int], Iterator[Comparison]]] = {
    "processes": processes.compare,
    "calls": calls.compare,
}
# One environment has all frameworks: what they do meets no SDK.
_IN_FRAMEWORKS: dict[str, Callable[[int], Iterator[Comparison]]] = {
    "requests": requests.compare,
    "errors": errors.compare,
}


def main() -> int:
    """Runs the asked benchmarks and prints one table; 1 when a bar is missed."""
    asked = _arguments()
    worlds = {n: python for n, python in WORLDS.items() if python.exists() and n in asked.world}
    if not worlds:
        print("No .venvs/a or .venvs/b here; run `make worlds` first", file=sys.stderr)
        return 2
    table.head()
    parts = asked.only or [*_PARTS, *_IN_FRAMEWORKS]
    rounds = 48 if asked.quick else 144
    results = [table.show(result) for result in _results(worlds, parts, rounds)]
    if asked.page:
        table.write(results, PAGE, _circumstances())
    missed = [result.name for result in results if result.missed]
    print(f"{len(missed)} bars missed: {', '.join(missed)}" if missed else "All bars held")
    return 1 if missed else 0


def _results(worlds: dict[str, Path], parts: list[str], rounds: int) -> Iterator[Comparison]:
    for name, python in worlds.items():
        for part in parts:
            if part in _PARTS:
                for result in _PARTS[part](python, rounds):
                    yield replace(result, name=f"{name}: {result.name}")
    for part in parts:
        if part in _IN_FRAMEWORKS and requests.PYTHON.exists():
            yield from _IN_FRAMEWORKS[part](rounds // 4)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "only", nargs="*", choices=[*_PARTS, *_IN_FRAMEWORKS, []], help="default: all"
    )
    parser.add_argument("--quick", action="store_true", help="a third of the rounds")
    parser.add_argument("--world", nargs="+", choices=[*WORLDS], default=[*WORLDS])
    parser.add_argument("--page", action="store_true", help=f"write the table to {PAGE.name}")
    return parser.parse_args()


def _circumstances() -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime())
    load = os.getloadavg()[0]
    return f"Measured {day}, {os.cpu_count()} cores, load average {load:.1f} at the end."


if __name__ == "__main__":
    raise SystemExit(main())
