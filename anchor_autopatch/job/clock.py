"""Instants at the edge: the clock is read once per command, everything below is handed `now`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    """The present instant, aware, UTC; for the edge only."""
    return datetime.now(UTC)


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware instant, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1)
