"""Fills `receipt_meters` from raw usage that the present METER_VERSION has not read yet."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from anchor_autopatch.job.meters.reading import METER_VERSION, read_meters
from anchor_autopatch.job.meters.record import Meters
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    import duckdb

    from anchor_autopatch.job.meters.fields import Json


_EVER: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the warehouse holds UTC without a zone
_LOOK_BACK: Final = timedelta(hours=1)
"""What was settled anew carries the instant of a run, not the number of a shipment."""


class MeasureReport(NamedTuple):
    """What one run measured."""

    measured_count: int
    mismatch_count: int
    """Receipts whose usage does not add up, among those measured now."""


def measure(
    con: duckdb.DuckDBPyConnection, now: datetime, *, batch_size: int = 50_000
) -> MeasureReport:
    """Measures every receipt without meters of this version; one transaction per batch."""
    sql = load("pricing/meters")
    con.execute(
        sql["collect_unmeasured"], {"meter_version": METER_VERSION, "since": _measured_since(con)}
    )
    total = _one(con, sql["count_unmeasured"])
    mismatches = 0
    for start in range(0, total, batch_size):
        bounds = {"first": start, "end": start + batch_size}
        batch = con.execute(sql["read_unmeasured"], bounds).fetchall()
        rows = [
            (receipt_id, METER_VERSION, now, *_read(*evidence)) for receipt_id, *evidence in batch
        ]
        with transaction(con):
            con.execute(sql["forget_measured"], bounds)
            with con.appender("receipt_meters") as appender:
                appender.append_rows(rows)
        mismatches += sum(1 for row in rows if row[_MISMATCH])
    con.execute(sql["drop_unmeasured"])
    return MeasureReport(total, mismatches)


def _measured_since(con: duckdb.DuckDBPyConnection) -> datetime:
    """Where to begin: receipts shipped earlier were measured by a run before, at this version."""
    asked = {
        "meter_version": METER_VERSION,
        "look_back_us": _LOOK_BACK // timedelta(microseconds=1),
    }
    row = con.execute(load("pricing/meters")["measured_since"], asked).fetchone()
    return _EVER if row is None or row[0] is None else row[0]


_MISMATCH = 3 + Meters._fields.index("usage_mismatch")


# Many calls report the very same counts: embeddings of one size, health checks, cached prompts.
@lru_cache(maxsize=65_536)
def _read(
    shape: str | None, usage: str | None, facts: str | None, submission_facts: str | None
) -> Meters:
    raw, usage_readable = _parse(usage)
    price_facts, facts_readable = _parse(facts)
    submitted, submitted_readable = _parse(submission_facts)
    # What was asked for, where the answer does not say what was made.
    meters = read_meters(shape, raw, {**(submitted or {}), **(price_facts or {})})
    if usage_readable and facts_readable and submitted_readable:
        return meters
    return meters._replace(usage_mismatch=True)


def _parse(text: str | None) -> tuple[Json | None, bool]:
    """The JSON object in the text, or None; False when there is a text and it is no object."""
    if text is None:
        return None, True
    try:
        value = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None, False
    if value is None:
        return None, True
    return (value, True) if isinstance(value, dict) else (None, False)


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = con.execute(sql).fetchone()
    return int(row[0]) if row else 0
