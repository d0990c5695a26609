"""Models without a rate as events: whoever uses one learns of it on the day of the first call.

Its cost is unknown and in no estimate, so that no budget and no unusual hour would ever tell.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from anchor_autopatch.core.records import ExceptionEvent
from anchor_autopatch.job.clock import to_micros
from anchor_autopatch.job.invoices.values import naive_utc
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ("UnpricedModel", "find_unpriced", "unpriced_event")

_CLASS = "unpriced_model"
_LATE = timedelta(days=3)
"""How long after a call its receipt may still be shipped, and somebody wants to be told."""


class UnpricedModel(NamedTuple):
    """The calls of one model on one day that no rate was found for."""

    day: date
    provider: str
    model: str
    reason: str | None
    """None = they have a price, but not for all that they used."""
    meters: str | None
    """What was used and has no rate, joined by a comma; None = not known."""
    calls: int
    last_seen: datetime
    """UTC, without a zone, as the warehouse holds it."""


def find_unpriced(con: DuckDBPyConnection, now: datetime) -> list[UnpricedModel]:
    """What the last three days used that has no rate, now that everything is priced."""
    span = {"from": naive_utc(now - _LATE), "until": naive_utc(now + timedelta(microseconds=1))}
    rows = con.execute(load("pricing/prices")["unpriced_days"], span).fetchall()
    return [UnpricedModel(*row) for row in rows]


def unpriced_event(found: UnpricedModel) -> ExceptionEvent:
    """One event a day, however often a run finds the calls; pure."""
    empty: dict[str, Any] = dict.fromkeys(ExceptionEvent._fields)
    parts = (_CLASS, found.provider, found.model, str(found.day))
    given = {
        "event_id": sha256("\x1f".join(parts).encode()).hexdigest()[:32],
        "occurred_at_us": to_micros(found.last_seen.replace(tzinfo=UTC)),
        "event_class": _CLASS,
        "provider": found.provider,
        # The model tells incidents apart; nobody's application is the cause.
        "code": found.model,
        "request_model": found.model,
        "message": _text(found),
        "retried": 0,
    }
    return ExceptionEvent(**(empty | ExceptionEvent._field_defaults | given))


def _text(found: UnpricedModel) -> str:
    calls = "1 call" if found.calls == 1 else f"{found.calls} calls"
    if found.reason is None:
        text = f"{calls} used what has no rate ({found.meters}): that cost is in no estimate"
    else:
        text = f"{calls} without a price ({found.reason}): their cost is in no estimate"
    return f"{text}; anchor reconcile names the command that sets one"
