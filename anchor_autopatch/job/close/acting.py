"""What people do about variances: somebody takes one on, somebody says what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.close.events import Act, Event, note, state_of
from anchor_autopatch.job.variance import actions
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

    from anchor_autopatch.job.close.rules import CloseRules
    from anchor_autopatch.job.variance import Action

__all__ = ("assign", "settle", "unsettled")


def assign(
    con: duckdb.DuckDBPyConnection, rules: CloseRules, action_id: str, owner: str, act: Act
) -> None:
    """Gives an action to somebody.

    Raises:
        ConfigError: the actor is no preparer, or there is no such action.
    """
    rules.demand("preparers", act.actor)
    with transaction(con):
        _note(con, action_id, "assign", act, owner)


def settle(con: duckdb.DuckDBPyConnection, rules: CloseRules, action_id: str, act: Act) -> None:
    """Says what became of an action: mended, or accepted as it is.

    Raises:
        ConfigError: the actor is no preparer, gives no reason, or there is no such action.
    """
    rules.demand("preparers", act.actor)
    if not act.reason.strip():
        raise ConfigError(f"What became of {action_id}? Give --reason TEXT")
    with transaction(con):
        _note(con, action_id, "settle", act)


def unsettled(con: duckdb.DuckDBPyConnection, period: str, now: datetime) -> list[Action]:
    """Actions of a period that nobody has settled yet."""
    return [each for each in actions(con, now, period) if each.state in ("open", "assigned")]


def _note(
    con: duckdb.DuckDBPyConnection,
    action_id: str,
    action: str,
    act: Act,
    owner: str | None = None,
) -> None:
    found = next((each for each in actions(con, act.now) if each.action_id == action_id), None)
    if found is None:
        raise ConfigError(f"Action {action_id!r} is not known; anchor close actions lists them")
    version = state_of(con, found.period).version
    # The column team holds who an event is for: a team that signs, or who takes an action on.
    event = Event(
        *(found.period, version, action, act.actor, act.reason), team=owner, subject=action_id
    )
    note(con, event, act.now)
