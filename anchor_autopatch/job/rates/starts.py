"""When list rates really began: lists lag behind their providers by days, some by months."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.rates.store import refresh_segments
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb


class RateStart(NamedTuple):
    """The day on which a change of a model's list rates took effect, and how that is known."""

    model_key: str
    """As the list spells it."""
    starts_at: datetime
    """UTC, without a zone, as the warehouse holds it."""
    reason: str
    actor: str


def set_start(con: duckdb.DuckDBPyConnection, start: RateStart, now: datetime) -> str:
    """Dates the first change that was seen on or after that day; returns its rate card.

    Receipts since then are priced anew by the next run. Typing another day corrects it.

    Raises:
        ConfigError: no reason, or the list shows no change of the model on or after that day.
    """
    if not start.reason.strip():
        raise ConfigError(f"A start date of {start.model_key!r} needs a reason: --reason TEXT")
    sql = load("pricing/rates")
    named = {"model_key": start.model_key}
    with transaction(con):
        con.execute(sql["note_start"], {**start._asdict(), "now": now})
        refresh_segments(con, now)
        found = {**named, "starts_at": start.starts_at}
        row = con.execute(sql["dated_change"], found).fetchone()
        if row is None:
            # Raised inside, so that nothing of it is kept.
            raise ConfigError(_explain(con, start))
    return str(row[0])


def _explain(con: duckdb.DuckDBPyConnection, start: RateStart) -> str:
    rows = con.execute(
        load("pricing/rates")["list_changes"], {"model_key": start.model_key}
    ).fetchall()
    days = ", ".join(row[0].date().isoformat() for row in rows) or "never"
    return (
        f"The list shows no change of {start.model_key!r} since {start.starts_at.date()} that "
        f"could have begun then (seen: {days}); for rates that no list has: anchor prices set"
    )
