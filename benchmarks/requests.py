"""What a request of a web framework costs more, with and without a question whom it serves.

Without a server: its own work would hide microseconds.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.measuring import Comparison

_ROOT = Path(__file__).resolve().parent.parent
PYTHON = _ROOT / ".venvs" / "frameworks" / "bin" / "python"
_POLICY = """
[inbound]
trusted_networks = ["127.0.0.1/32"]
user_id = "header:x-user"
"""
# Nothing configured and no provider call; configured, and a call that asks who it is for.
_BARS = {("quiet", ""): 3.0, ("asking", _POLICY): 15.0}


def compare(rounds: int) -> Iterator[Comparison]:
    """Request bars: +3 us where nothing is configured or asked, +15 us with headers and policy."""
    for framework in ("flask", "django", "starlette"):
        for (route, policy), bar in _BARS.items():
            yield _turns(framework, route, policy, bar, rounds)


def _turns(framework: str, route: str, policy: str, bar: float, rounds: int) -> Comparison:
    samples: tuple[list[float], list[float]] = ([], [])
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        (Path(home) / "anchor.toml").write_text(policy, encoding="utf-8")
        sides = [start("requests_worker", framework, folder, stack) for folder in (None, home)]
        for turn in range(rounds + 2):
            # Who goes first changes, so that a drifting machine favours neither.
            for side in (0, 1) if turn % 2 else (1, 0):
                took = block(sides[side], route)
                if turn >= 2:
                    samples[side].append(took)
    name = f"{framework}: request, {'asked for' if policy else 'nothing configured'}"
    return Comparison(name, "us", tuple(samples[0]), tuple(samples[1]), bar)


def start(module: str, word: str, home: str | None, stack: ExitStack) -> subprocess.Popen[str]:
    """A worker in the frameworks' environment, with the hook on where a home is given."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("ANCHOR_", "PYTHON"))}
    folders = [str(_ROOT)]
    if home is not None:
        folders.insert(0, str(_ROOT / "sitecustomize_template"))
        environ["ANCHOR_HOME"] = home
    return stack.enter_context(
        subprocess.Popen(
            [PYTHON, "-m", f"benchmarks.{module}", word],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environ | {"PYTHONPATH": os.pathsep.join(folders)},
            cwd=_ROOT,
        )
    )


def block(process: subprocess.Popen[str], route: str) -> float:
    """Median microseconds of one piece of work in a block."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("The worker has no pipes")
    process.stdin.write(f"{route}\n")
    process.stdin.flush()
    return statistics.median(json.loads(process.stdout.readline()))
