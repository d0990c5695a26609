"""`make bench`.

Start-up and call cost, bare and hooked in turns, for every SDK world that is installed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import calls, startup
from benchmarks.measuring import Comparison

ROOT = Path(__file__).resolve().parent.parent
WORLDS = {name: ROOT / ".venvs" / name / "bin" / "python" for name in ("a", "b")}


def main() -> int:
    """Runs the asked benchmarks and prints one line for each; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("only", nargs="*", choices=["startup", "calls", []], help="default: all")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: for trying out")
    asked = parser.parse_args()
    wanted = asked.only or ["startup", "calls"]
    worlds = {name: python for name, python in WORLDS.items() if python.exists()}
    if not worlds:
        print("No .venvs/a or .venvs/b here; run `make worlds` first", file=sys.stderr)
        return 2
    results: list[Comparison] = []
    for name, python in worlds.items():
        if "startup" in wanted:
            results += startup.compare(name, python, rounds=10 if asked.quick else 40)
        if "calls" in wanted:
            results += calls.compare(name, python, rounds=10 if asked.quick else 40)
    return 1 if any(result.missed for result in results) else 0


if __name__ == "__main__":
    raise SystemExit(main())
