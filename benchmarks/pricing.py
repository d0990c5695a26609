"""What pricing costs: `python -m benchmarks.pricing [--receipts N]`, in CPU seconds and memory.

Each figure comes from a fresh process on one thread, over a warehouse of receipts made up by SQL:
every model that the installed list prices by token, every token meter, searches on a tenth.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

NOW = datetime(2026, 11, 22, tzinfo=UTC)
_MIB = 1024
_EVER = datetime(1970, 1, 1)  # noqa: DTZ001 - the warehouse holds UTC without a zone
_AGGREGATED = 1_000_000
"""Receipts that are grouped at a time, as prices are made: numbers of a short range are joined by
place, and no join has to go to the disk."""
# By what `app_costs` is grouped by; names stay numbers until there are few rows.
_GROUPS = """
    CREATE TEMP TABLE app_part (
        period DATE,
        team VARCHAR,
        service VARCHAR,
        environment VARCHAR,
        name_no INTEGER,
        calls BIGINT,
        estimated_cost_usd DECIMAL(38, 18)
    )
"""
_GROUP = """
    INSERT INTO app_part
    SELECT
        DATE_TRUNC('month', receipt.occurred_at) AS period,
        receipt.team,
        receipt.service,
        receipt.environment,
        fresh_cost.name_no,
        COUNT(*) AS calls,
        SUM(fresh_cost.estimated_cost_usd) AS estimated_cost_usd
    FROM fresh_cost
    JOIN receipt ON receipt.rowid = fresh_cost.receipt_no
    WHERE fresh_cost.receipt_no >= $first
        AND fresh_cost.receipt_no < $end
    GROUP BY ALL
"""
_AGGREGATE = """
    WITH app AS (
        SELECT
            period,
            team,
            service,
            environment,
            name_no,
            SUM(calls) AS calls,
            SUM(estimated_cost_usd) AS estimated_cost_usd
        FROM app_part
        GROUP BY ALL
    )
    SELECT
        COUNT(*),
        SUM(app.calls),
        SUM(app.estimated_cost_usd)
    FROM app
    JOIN work_name USING (name_no)
"""
_MAKE = Path(__file__).with_name("pricing.sql")


class Row(NamedTuple):
    """One figure beside its bar; the unit is in the name."""

    name: str
    value: float
    bar: float | None


def main() -> int:
    """Prints the table; 1 when a bar is missed."""
    asked = _arguments()
    if asked.step:
        print(json.dumps(_STEPS[asked.step](asked.home, asked.receipts)))
        return 0
    with tempfile.TemporaryDirectory(dir=asked.folder) as home:
        rows = list(_measure(Path(home), asked.receipts))
    width = max(len(row.name) for row in rows)
    for row in rows:
        bar = "" if row.bar is None else f"<= {row.bar:g}"
        missed = "" if row.bar is None or row.value <= row.bar else "MISSED"
        print(f"{row.name:{width}}  {row.value:10.2f}  {bar:>10}  {missed}")
    return int(any(row.bar is not None and row.value > row.bar for row in rows))


def _measure(home: Path, receipts: int) -> Iterator[Row]:
    millions = receipts / 1_000_000
    card = _run("card", home, receipts)
    yield Row("read the price list without importing litellm, s", card["wall"], 0.2)
    _run("make", home, receipts)
    mass = _run("mass", home, receipts)
    yield Row(f"price + aggregate {millions:g}M, CPU s", mass["cpu"], 0.8 * millions)
    yield Row(f"price + aggregate {millions:g}M, MiB", mass["mib"], 1024)
    first = _run("first", home, receipts)
    yield Row(f"first run over {millions:g}M, CPU s", first["cpu"], None)
    yield Row(f"first run over {millions:g}M, MiB", first["mib"], None)
    small = _daily(receipts // 10)
    yield Row(f"daily run, 100k new over {millions / 10:g}M, CPU s", small, None)
    large = _run("daily", home, receipts)["cpu"]
    yield Row(f"daily run, 100k new over {millions:g}M, CPU s", large, None)
    yield Row(f"daily run, ratio of {millions:g}M to {millions / 10:g}M", large / small, 3.0)


def _daily(receipts: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _run("make", home, receipts)
        _run("first", home, receipts)
        return _run("daily", home, receipts)["cpu"]


def _run(step: str, home: Path, receipts: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.pricing", "--step", step]
    done = subprocess.run(
        [*command, "--home", str(home), "--receipts", str(receipts)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return cast("dict[str, float]", json.loads(done.stdout))


def _card(home: Path, receipts: int) -> dict[str, float]:
    from anchor_autopatch.job.rates.source import read_installed

    start = time.perf_counter()
    table = read_installed()
    if "litellm" in sys.modules or not table.models:
        raise SystemExit("The price list was not read as it should be")
    return {"wall": time.perf_counter() - start}


def _make(home: Path, receipts: int) -> dict[str, float]:
    """A warehouse with receipts of October and their meters."""
    from anchor_autopatch.job.meters import METER_VERSION
    from anchor_autopatch.job.rates import sync_installed

    con = _open(home)
    sync_installed(con, NOW)
    _add(con, receipts, METER_VERSION, NOW - timedelta(days=50))
    return {}


def _add(con: DuckDBPyConnection, receipts: int, version: int, start: datetime) -> None:
    naive = start.replace(tzinfo=None)
    known = {"version": version, "start": naive, "now": NOW.replace(tzinfo=None)}
    for statement in _MAKE.read_text("utf-8").split(";\n"):
        if statement.strip():
            names = {name: value for name, value in known.items() if f"${name}" in statement}
            count = {"count": receipts} if "$count" in statement else {}
            con.execute(statement, {**names, **count})


def _mass(home: Path, receipts: int) -> dict[str, float]:
    """Prices all and groups by team, model and day; nothing is written."""
    from anchor_autopatch.job.pricing.prices import price_collected
    from anchor_autopatch.job.sql import load

    con = _open(home)
    con.execute(load("pricing/prices")["collect_open"], {"open_from": _EVER})
    start = time.process_time()
    price_collected(con, NOW)
    con.execute(_GROUPS)
    for first in range(0, receipts, _AGGREGATED):
        con.execute(_GROUP, {"first": first, "end": first + _AGGREGATED})
    [(_, calls, _)] = con.execute(_AGGREGATE).fetchall()
    if calls != receipts:
        raise SystemExit(f"Grouped {calls} receipts, expected {receipts}")
    return _spent(start)


def _first(home: Path, receipts: int) -> dict[str, float]:
    from anchor_autopatch.job.pricing import price

    con = _open(home)
    start = time.process_time()
    price(con, NOW)
    return _spent(start)


def _day(home: Path, receipts: int) -> dict[str, float]:
    """100,000 more receipts, found and priced with the rates of the run before."""
    from anchor_autopatch.job.meters import METER_VERSION, measure
    from anchor_autopatch.job.pricing import price

    con = _open(home)
    _add(con, 100_000, METER_VERSION, NOW)
    start = time.process_time()
    measure(con, NOW + timedelta(days=31))
    report = price(con, NOW + timedelta(days=31))
    if report.changed_count != 100_000:
        raise SystemExit(f"Priced {report.changed_count} receipts, expected 100,000")
    return _spent(start)


def _open(home: Path) -> DuckDBPyConnection:
    from anchor_autopatch.job.warehouse import open_warehouse

    con = open_warehouse(home)
    con.execute("SET threads = 1")
    # What DuckDB does not count, and Python, take the rest of 1 GB.
    con.execute("SET memory_limit = '700MB'")
    return con


def _spent(start: float) -> dict[str, float]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB
    return {"cpu": time.process_time() - start, "mib": peak}


_STEPS = {"card": _card, "make": _make, "mass": _mass, "first": _first, "daily": _day}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pricing", description=__doc__)
    parser.add_argument("--receipts", type=int, default=1_000_000)
    parser.add_argument("--folder", help="where the warehouse is made; default: the system's")
    parser.add_argument("--step", choices=[*_STEPS], help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
