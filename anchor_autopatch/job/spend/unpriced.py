"""Calls without a rate as exception events: who uses such a model learns of it on its first day.

Its cost is unknown and in no estimate, so that no budget and no unusual hour would ever tell.

One event for each provider, model and UTC day, with the number of its calls: one a call would be a
flood on the day that a new model becomes everybody's default. The row grows while the day's calls
come in and is never taken back: when a price becomes known later, the event says what was not known
at the time, and its incident ends by itself.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from anchor_autopatch.core.records import ExceptionEvent
from anchor_autopatch.job.clock import to_micros
from anchor_autopatch.job.invoices.values import naive_utc
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ("UnpricedModel", "events_to_tell", "find_unpriced", "note_unpriced", "unpriced_event")

_CLASS = "unpriced_model"
_LATE = timedelta(days=3)
"""How long after a call its receipt may still be shipped, and somebody wants to be told."""


class UnpricedModel(NamedTuple):
    """The calls of one model on one UTC day that no rate was found for."""

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
    shared: dict[str, str | None]
    """Fields of an event -> what all these calls have there alike; None = they differ."""
    noted_at_us: int | None
    """When a run first found it; None = none did."""


def note_unpriced(con: DuckDBPyConnection, now: datetime) -> None:
    """Leaves an exception event for what has no rate, of all days; in the caller's transaction.

    A second run changes nothing: an event is made anew only when its day has more such calls.
    """
    found = find_unpriced(con, now)
    if not found:
        return
    rows = [unpriced_event(each)._asdict() | {"noted_at_us": each.noted_at_us} for each in found]
    sql = load("spend")
    con.execute(sql["forget_job_events"], {"event_id": [row["event_id"] for row in rows]})
    # As JSON: DuckDB takes no list of records, and row by row it takes 1,000 a second.
    con.execute(sql["note_job_events"], {"rows": json.dumps(rows), "now": naive_utc(now)})


def find_unpriced(con: DuckDBPyConnection, now: datetime) -> list[UnpricedModel]:
    """What has no rate, now that everything is priced, and has no event that counts all of it."""
    until = {"until": naive_utc(now + timedelta(microseconds=1))}
    return list(
        map(UnpricedModel._make, con.execute(load("spend")["unpriced_days"], until).fetchall())
    )


def events_to_tell(con: DuckDBPyConnection, now: datetime) -> list[ExceptionEvent]:
    """The events that incidents are made of: those of the last three days.

    Older ones stand in `exception_events` alone, apart from those that are part of an incident and
    have grown since: it must count what they count.
    """
    span = {"from": naive_utc(now - _LATE), "until": naive_utc(now + timedelta(microseconds=1))}
    told = con.execute(load("spend")["job_events"], span)
    names = [column[0] for column in told.description]
    return [_event(**dict(zip(names, row, strict=True))) for row in told.fetchall()]


def unpriced_event(found: UnpricedModel) -> ExceptionEvent:
    """One event a day, however often a run finds the calls; pure."""
    parts = (_CLASS, found.provider, found.model, str(found.day))
    return _event(
        event_id=sha256("\x1f".join(parts).encode()).hexdigest()[:32],
        occurred_at_us=to_micros(found.last_seen.replace(tzinfo=UTC)),
        event_class=_CLASS,
        provider=found.provider,
        # The model tells incidents apart; nobody's application is the cause.
        code=found.model,
        request_model=found.model,
        message=_text(found),
        occurrences=found.calls,
        **found.shared,
    )


def _event(**given: Any) -> ExceptionEvent:
    # No request failed, so that none was sent again.
    empty: dict[str, Any] = dict.fromkeys(ExceptionEvent._fields) | {"retried": 0}
    return ExceptionEvent(**(empty | given))


def _text(found: UnpricedModel) -> str:
    calls = "1 call" if found.calls == 1 else f"{found.calls} calls"
    if found.reason is None:
        text = f"{calls} used what has no rate ({found.meters}): that cost is in no estimate"
    else:
        text = f"{calls} without a price ({found.reason}): their cost is in no estimate"
    return f"{text}; anchor reconcile names the command that sets one"
