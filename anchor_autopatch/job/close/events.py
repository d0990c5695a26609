"""The audit trail of the close, and the state of a period that follows from it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.chain import CLOSE_EVENTS, append
from anchor_autopatch.job.invoices.values import naive_utc
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    import duckdb

__all__ = (
    "FROZEN",
    "OPEN",
    "REVIEWED",
    "SIGNED_OFF",
    "Act",
    "Event",
    "PeriodState",
    "allow",
    "note",
    "state_of",
)

OPEN, REVIEWED, SIGNED_OFF, FROZEN = "open", "reviewed", "signed_off", "frozen"


class PeriodState(NamedTuple):
    """Where a period stands."""

    state: str
    """open | reviewed | signed_off | frozen."""
    version: int
    """1, and one more with each restatement."""


class Act(NamedTuple):
    """Who decides something, why and when."""

    actor: str
    reason: str
    now: datetime


class Event(NamedTuple):
    """Something that somebody did to a period."""

    period: str
    version: int
    action: str
    actor: str
    reason: str = ""
    state: str | None = None
    """Of the period from here on; None = as it was."""
    team: str | None = None
    subject: str | None = None
    digest: str | None = None
    detail: Mapping[str, object] = {}


def state_of(con: duckdb.DuckDBPyConnection, period: str) -> PeriodState:
    """Where the period stands.

    Raises:
        ConfigError: nothing of it was ever reconciled.
    """
    sql = load("close")
    row = con.execute(sql["period_state"], {"period": period}).fetchone()
    if row:
        return PeriodState(*row)
    known = [row[0] for row in con.execute(sql["known_periods"]).fetchall()]
    if period not in known:
        raise ConfigError(
            f"Nothing is known of period {period!r}; expected YYYY-MM, after anchor reconcile; "
            f"known: {', '.join(known) or 'none yet'}"
        )
    return PeriodState(OPEN, 1)


def allow(
    con: duckdb.DuckDBPyConnection, period: str, demand: Callable[..., None], *whom: str
) -> None:
    """Lets an actor pass who may do something with a period that there is.

    Args:
        con: Open warehouse.
        period: As somebody typed it.
        demand: Of `CloseRules`; raises for an actor who has not the role.
        whom: What `demand` takes.

    Raises:
        ConfigError: the period is none, the actor may not, or both: who mistypes a period is not to
            be sent for a role first, and then told that there is no such period.
    """
    told = []
    checks: tuple[Callable[[], object], ...] = (
        lambda: state_of(con, period),
        lambda: demand(*whom),
    )
    for check in checks:
        try:
            check()
        except ConfigError as error:
            told.append(str(error))
    if told:
        raise ConfigError("; ".join(told))


def note(con: duckdb.DuckDBPyConnection, event: Event, now: datetime) -> None:
    """Adds an event to the trail, in the caller's transaction.

    Raises:
        ConfigError: nobody did it.
    """
    if not event.actor.strip():
        raise ConfigError(f"Who does this ({event.action} {event.period})? Give --by NAME")
    row = event._asdict() | {
        "detail": json.dumps(event.detail, sort_keys=True),
        "recorded_at": naive_utc(now),
    }
    append(con, CLOSE_EVENTS, [row])
