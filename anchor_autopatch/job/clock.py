"""Instants at the edge: the clock is read once per command, everything below is handed `now`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    """The present instant, aware, UTC; for the edge only."""
    return datetime.now(UTC)


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware instant, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def never_back(con: DuckDBPyConnection, now: datetime) -> datetime:
    """`now`, or where an earlier run's clock was ahead of it, the instant of that run; aware, UTC.

    Measuring and pricing look at what was shipped or settled since the run before. After a clock
    was set back, what is new would be dated before that run, and never be looked at.
    """
    row = con.execute(load("warehouse")["last_booked"]).fetchone()
    last: datetime | None = row[0] if row else None
    return now if last is None else max(now, last.replace(tzinfo=UTC))
