"""What dividing a bill costs: `python -m benchmarks.allocation [--receipts N]`, time and memory.

One invoice of 5,000 lines, 1,000 applications, receipts made up by SQL; then, with that month as it
is, the first day of the next one with its lines: the run of every day. Each figure comes from a
fresh process that may use 2 threads, under the memory limit that the job sets itself.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_MAKE = Path(__file__).with_name("allocation.sql")
_DAY = Path(__file__).with_name("allocation_day.sql")
_NOW = datetime(2026, 11, 22, tzinfo=UTC)
_NEXT = datetime(2026, 11, 23, tzinfo=UTC)
_MIB = 1024
_SECONDS_OF_10M = 60
_MEMORY_MIB = 2048
_DAILY_RATIO = 0.1
_DAYS = 31


def main() -> int:
    """Prints both figures beside their bars; 1 when one is missed."""
    asked = _arguments()
    if asked.step:
        print(json.dumps(_STEPS[asked.step](asked.home, asked.receipts, asked.verbose)))
        return 0
    with tempfile.TemporaryDirectory(dir=asked.folder) as home:
        _run("make", Path(home), asked)
        spent = _run("divide", Path(home), asked)
        _run("make-day", Path(home), asked)
        daily = _run("divide-day", Path(home), asked)
    seconds = _SECONDS_OF_10M * max(1.0, asked.receipts / 10**7)
    # On a busy machine the CPU seconds of both threads say more than the clock does.
    bars = {"s": seconds, "CPU s": seconds * 2, "MiB": _MEMORY_MIB}
    for unit, bar in bars.items():
        missed = "" if spent[unit] <= bar else "MISSED"
        name = f"divide 5,000 lines over {asked.receipts:,} receipts, {unit}"
        print(f"{name:55} {spent[unit]:10.1f} <= {bar:g} {missed}")
    daily_bar = spent["CPU s"] * _DAILY_RATIO
    missed = "" if daily["CPU s"] <= daily_bar else "MISSED"
    print(f"{'a day more, CPU s':55} {daily['CPU s']:10.1f} <= {daily_bar:.1f} {missed}")
    print(f"{'a day more, s':55} {daily['s']:10.1f}")
    late = daily["CPU s"] > daily_bar
    return int(late or any(spent[unit] > bar for unit, bar in bars.items()))


def _run(step: str, home: Path, asked: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.allocation", "--step", step, "--home", str(home)]
    command += ["--receipts", str(asked.receipts)] + ["--verbose"] * asked.verbose
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def _make(home: Path, receipts: int, verbose: bool) -> dict[str, float]:
    return _made(home, _MAKE, receipts)


def _make_day(home: Path, receipts: int, verbose: bool) -> dict[str, float]:
    return _made(home, _DAY, receipts // _DAYS)


def _made(home: Path, script: Path, receipts: int) -> dict[str, float]:
    con = _open(home)
    for statement in script.read_text("utf-8").split(";\n"):
        if statement.strip():
            con.execute(statement, {"count": receipts} if "$count" in statement else None)
    con.execute("CHECKPOINT")
    return {}


def _divide(home: Path, receipts: int, verbose: bool) -> dict[str, float]:
    return _divided(home, _NOW, ("2026-10",), verbose)


def _divide_day(home: Path, receipts: int, verbose: bool) -> dict[str, float]:
    return _divided(home, _NEXT, ("2026-10", "2026-11"), verbose)


def _divided(
    home: Path, now: datetime, periods: tuple[str, ...], verbose: bool
) -> dict[str, float]:
    from anchor_autopatch.job.allocation import KeyMap, allocate_open_periods
    from anchor_autopatch.job.variance import VarianceRules, find_variances

    con = _open(home)
    keys = KeyMap({f"key-{n}": f"project-{n % 4}" for n in range(8)}, {})
    if verbose:
        con = _Told(con)
    start, cpu_start = time.perf_counter(), time.process_time()
    report = allocate_open_periods(con, now, keys=keys)
    find_variances(con, VarianceRules(), {}, now)
    seconds = time.perf_counter() - start
    cpu = time.process_time() - cpu_start
    found = tuple(row.period for row in report.rows)
    if found != periods or any(row.unallocated for row in report.rows):
        raise SystemExit(f"The invoices were not divided as they should be: {report}")
    return {
        "s": seconds,
        "CPU s": cpu,
        "MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB,
    }


class _Told:
    """A connection that says on stderr what CPU time each statement takes."""

    def __init__(self, con: object) -> None:
        self._con = con

    def __getattr__(self, name: str) -> object:
        return getattr(self._con, name)

    def execute(self, statement: str, *parameters: object) -> object:
        start = time.process_time()
        done = self._con.execute(statement, *parameters)
        seconds = time.process_time() - start
        if seconds > 0.1:
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB
            title = statement.splitlines()[0][:80]
            print(f"{seconds:8.2f} CPU s {memory:6.0f} MiB  {title}", file=sys.stderr)
        return done


def _open(home: Path) -> duckdb.DuckDBPyConnection:
    from anchor_autopatch.job.warehouse import open_warehouse

    con = open_warehouse(home)
    con.execute("SET threads = 2")
    con.execute(f"SET temp_directory = '{home / 'spill'}'")
    return con


_STEPS = {"make": _make, "divide": _divide, "make-day": _make_day, "divide-day": _divide_day}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--receipts", type=int, default=10**7)
    parser.add_argument("--folder", type=Path, help="where the warehouse is made")
    parser.add_argument("--verbose", action="store_true", help="what each statement takes")
    parser.add_argument("--step", choices=tuple(_STEPS), help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
