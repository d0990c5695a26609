"""What shipping costs: `python -m benchmarks.shipping [--receipts N]`, in CPU time and memory.

Each figure comes from a fresh process on one thread, over real outbox files of 25,000 receipts, as
big as the ones that writers seal. What lies in the warehouse before is made up by SQL.
"""

from __future__ import annotations

import argparse
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from anchor_autopatch.core import outbox_format
from anchor_autopatch.core.records import Receipt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

NOW = datetime(2026, 11, 22, tzinfo=UTC)
_START_US = 1_790_000_000_000_000
_FILE_ROWS = 25_000
_NEW = 10_000
_MIB = 1024
_HISTORY = Path(__file__).with_name("shipping.sql")


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
    rows = list(_measure(asked.folder, asked.receipts))
    width = max(len(row.name) for row in rows)
    for row in rows:
        bar = "" if row.bar is None else f"<= {row.bar:g}"
        missed = "" if row.bar is None or row.value <= row.bar else "MISSED"
        print(f"{row.name:{width}}  {row.value:10.2f}  {bar:>10}  {missed}")
    return int(any(row.bar is not None and row.value > row.bar for row in rows))


def _measure(folder: str | None, receipts: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(dir=folder) as home:
        _run("write", Path(home), receipts)
        mass = _run("ship", Path(home), receipts)
    # 80,000 receipts a second on one core.
    yield Row(f"ship {receipts:,}, CPU us each", mass["cpu"] / receipts * 1e6, 12.5)
    yield Row(f"ship {receipts:,}, MiB", mass["mib"], 1024)
    few, many = (_daily(folder, history) for history in (0, receipts))
    yield Row(f"{_NEW:,} new over nothing, CPU s", few, None)
    yield Row(f"{_NEW:,} new over {receipts:,}, CPU s", many, None)
    yield Row("ratio of the two", many / few, 1.2)


def _daily(folder: str | None, history: int) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as home:
        _run("history", Path(home), history)
        _run("write", Path(home), _NEW)
        return _run("ship", Path(home), _NEW)["cpu"]


def _run(step: str, home: Path, receipts: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.shipping", "--step", step]
    done = subprocess.run(
        [*command, "--home", str(home), "--receipts", str(receipts)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return cast("dict[str, float]", json.loads(done.stdout))


def _write(home: Path, receipts: int) -> dict[str, float]:
    """Outboxes of writers that are gone, newer than what the warehouse has."""
    folder = home / "outbox"
    folder.mkdir(mode=0o700)
    for first in range(0, receipts, _FILE_ROWS):
        path = folder / f"writer-{first:012d}.db"
        with sqlite3.connect(path) as con:
            # As the writer's (ADR 0004).
            con.execute("PRAGMA page_size = 2048")
            for statement in (
                outbox_format.CREATE_META,
                outbox_format.CREATE_RECEIPT,
                outbox_format.CREATE_EVENT,
            ):
                con.execute(statement)
            version = str(outbox_format.SCHEMA_VERSION)
            meta = [("outbox_id", path.stem), ("schema_version", version)]
            con.executemany("INSERT INTO meta VALUES (?, ?)", meta)
            rows = _rows(first, min(_FILE_ROWS, receipts - first))
            con.executemany(outbox_format.INSERT_RECEIPT, rows)
        con.close()
    return {}


def _rows(first: int, count: int) -> Iterator[tuple[object, ...]]:
    plain = dict.fromkeys(Receipt._fields) | {
        "duration_us": 250_000,
        "team": "search",
        "service": "chatbot",
        "environment": "production",
        "call_site": "shop.answers:reply",
        "attribution_source": '{"team": "environment", "service": "environment"}',
        "provider": "openai",
        "provider_host": "api.openai.com",
        "api_key_id": "a3f1c2d4e5b60718",
        "sdk": "openai",
        "operation": "chat",
        "request_model": "gpt-4o",
        "response_model": "gpt-4o-2024-08-06",
        "outcome": "ok",
        "http_status": 200,
        "stream": 0,
        "attempts": 1,
        "usage_source": "provider",
        "usage_shape": "openai.chat",
        "billable": 1,
    }
    for seq in range(1, count + 1):
        number = first + seq
        usage = f'{{"prompt_tokens": {number % 4000}, "completion_tokens": 20, "total_tokens": 9}}'
        fresh = {
            "receipt_id": f"new-{number:012d}",
            "occurred_at_us": _START_US + number * 1_000,
            "user_id": f"user-{number % 997}",
            "request_id": f"req-{number:016x}",
            "trace_id": f"{number * 2_654_435_761 % 2**64:032x}",
            "response_id": f"chatcmpl-{number:020d}",
            "raw_usage": usage,
        }
        record = Receipt(**plain | fresh)
        yield seq, *record, outbox_format.row_crc(seq, record)


def _history(home: Path, receipts: int) -> dict[str, float]:
    """A warehouse with receipts of the time before."""
    con = _open(home)
    con.execute(_HISTORY.read_text("utf-8"), {"count": receipts, "start_us": _START_US})
    con.close()
    return {}


def _ship(home: Path, receipts: int) -> dict[str, float]:
    """Ships all that the home has, the end of the transaction and of the file included."""
    from anchor_autopatch.job.ship import ship

    con = _open(home)
    start = time.process_time()
    report = ship(con, [home], NOW)
    con.close()
    cpu = time.process_time() - start
    if (report.receipts, report.findings) != (receipts, []):
        raise SystemExit(f"Shipped {report.receipts} of {receipts}: {report.findings}")
    return {"cpu": cpu, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB}


def _open(home: Path) -> DuckDBPyConnection:
    from anchor_autopatch.job.warehouse import open_warehouse

    con = open_warehouse(home)
    con.execute("SET threads = 1")
    return con


_STEPS = {"write": _write, "history": _history, "ship": _ship}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shipping", description=__doc__)
    parser.add_argument("--receipts", type=int, default=500_000)
    parser.add_argument("--folder", help="where the homes are made; default: the system's")
    parser.add_argument("--step", choices=[*_STEPS], help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
