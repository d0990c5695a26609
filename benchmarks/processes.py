"""What a whole process pays: start-up, imports, memory, and leaving while nothing works."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.clock import run_delay_ns
from benchmarks.measuring import Comparison, in_turns
from benchmarks.troubles import TROUBLES
from benchmarks.workers import environment

_ROOT = Path(__file__).resolve().parent.parent
_IMPORT = (
    "import openai, anthropic, google.genai; "
    "openai.OpenAI(api_key='x'); anthropic.Anthropic(api_key='x')"
)
_CALLS = "from benchmarks import works; import google.genai; work = works.in_process()['chat']; "
_RESIDENT = re.compile(r"VmRSS:\s+(\d+) kB")


class _Run(NamedTuple):
    cpu_ms: float
    leaving_ms: float
    """From the last line of the program to the end of the process."""
    said: str


def compare(python: Path, rounds: int) -> Iterator[Comparison]:
    """All bars of whole processes, in the SDK world of this interpreter."""
    few = max(4, rounds // 8)
    yield _turns("python -c pass, CPU", "ms", _cpu(python, "pass"), rounds, most_added=5.0)
    yield _turns("import of three SDKs, CPU", "ms", _cpu(python, _IMPORT), few, most_ratio=1.05)
    yield _turns("memory after 2,000 calls", "MB", _memory(python), few, most_added=6.0)
    for name, spoil in TROUBLES.items():
        sides = _leaving(python, spoil)
        yield _turns(f"leaving, {name}", "ms", sides, few, most_added=50.0)


_Sides = tuple[Callable[[], float], Callable[[], float]]


def _turns(
    name: str,
    unit: str,
    sides: _Sides,
    rounds: int,
    *,
    most_added: float | None = None,
    most_ratio: float | None = None,
) -> Comparison:
    bare, hooked = in_turns(sides, rounds, warm_up=1)
    return Comparison(name, unit, tuple(bare), tuple(hooked), most_added, most_ratio)


def _cpu(python: Path, code: str) -> _Sides:
    return (
        lambda: _run(python, code, environment(None)).cpu_ms,
        lambda: _in_a_home(lambda home: _run(python, code, environment(home)).cpu_ms),
    )


def _memory(python: Path) -> _Sides:
    code = _CALLS + "work(2000); print(open('/proc/self/status').read())"
    return (
        lambda: _resident_mb(_run(python, code, environment(None))),
        lambda: _in_a_home(lambda home: _resident_mb(_run(python, code, environment(home)))),
    )


def _resident_mb(run: _Run) -> float:
    found = _RESIDENT.search(run.said)
    if found is None:
        raise RuntimeError(f"No VmRSS in {run.said[:80]!r}: this figure needs Linux")
    return int(found[1]) / 1024


def _leaving(python: Path, spoil: Callable[[str], dict[str, str]]) -> _Sides:
    code = _CALLS + _BROKEN_PROVIDER + _LEFT
    return (
        lambda: _run(python, code, environment(None)).leaving_ms,
        lambda: _in_a_home(
            lambda home: _run(python, code, environment(home) | spoil(home)).leaving_ms
        ),
    )


# The last calls find the provider down; what they leave behind is written or waits.
_BROKEN_PROVIDER = """
import openai
from benchmarks import troubles
work(50)
trouble = troubles.begin()
work(50)
down = openai.OpenAI(api_key='x', base_url='http://127.0.0.1:9', max_retries=0)
for _ in range(3):
    try:
        down.models.list()
        down.chat.completions.create(model='gpt-4o', messages=[])
    except openai.APIConnectionError:
        pass
"""
# The clock is the system's, so that the parent can go on where the child stopped.
_LEFT = """
import sys, time
from benchmarks.clock import run_delay_ns
print("left", time.monotonic_ns() - run_delay_ns("/proc/self/schedstat"))
sys.stdout.flush()
"""


def _run(python: Path, code: str, environ: dict[str, str]) -> _Run:
    process = subprocess.Popen(
        [python, "-c", code], env=environ, cwd=_ROOT, stdout=subprocess.PIPE, text=True
    )
    if process.stdout is None:
        raise RuntimeError("The process has no pipe")
    said = process.stdout.read()
    # Not reaped yet: the kernel still tells how long it had to wait for a processor.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    gone = time.monotonic_ns() - run_delay_ns(f"/proc/{process.pid}/schedstat")
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode != 0:
        raise RuntimeError(f"{python} -c {code!r} ended with {process.returncode}")
    left = said.partition("left ")[2]
    leaving_ms = (gone - int(left)) / 1e6 if left else 0.0
    return _Run((used.ru_utime + used.ru_stime) * 1000, leaving_ms, said)


def _in_a_home(run: Callable[[str], float]) -> float:
    with tempfile.TemporaryDirectory() as home:
        return run(home)
