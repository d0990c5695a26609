"""Closes a period: review, sign-offs, freeze; and opens it again as a new version.

Each step is bound to the digest of the statements. Figures that move after the review make the
digest another one: nobody can sign what nobody has reviewed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.chain import CLOSE_EVENTS, LEDGER, head
from anchor_autopatch.job.close import statements
from anchor_autopatch.job.close.acting import unsettled
from anchor_autopatch.job.close.events import (
    FROZEN,
    OPEN,
    REVIEWED,
    SIGNED_OFF,
    Event,
    PeriodState,
    allow,
    note,
    state_of,
)
from anchor_autopatch.job.close.ledger import Posting, book_period
from anchor_autopatch.job.close.sealing import seal
from anchor_autopatch.job.close.settled import check_settled
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import duckdb

    from anchor_autopatch.job.close.rules import CloseRules

__all__ = ("Missing", "Reviewed", "freeze", "missing_signatures", "restate", "review", "sign_off")


class Missing(NamedTuple):
    """A signature that the period still lacks."""

    team: str
    """Empty = for the whole period."""
    digest: str


class Reviewed(NamedTuple):
    """What a review found; nothing in it prevents the sign-off."""

    digest: str
    """Of all statements."""
    uninvoiced: tuple[str, ...]
    """Providers whose calls no invoice pays for yet."""


def review(
    con: duckdb.DuckDBPyConnection, rules: CloseRules, period: str, actor: str, now: datetime
) -> Reviewed:
    """Makes the statements of a period and offers them for signing; may be repeated.

    Raises:
        ConfigError: the actor is no preparer, the period is signed off, its sums do not tie, or
            what a cost API says of it has not come to rest.
    """
    allow(con, period, rules.demand, "preparers", actor)
    with transaction(con):
        standing = _in_state(con, period, (OPEN, REVIEWED), "reviewed")
        _check_ties(con, period)
        check_settled(con, period, rules.settle_hours)
        mode = rules.mode_of(period)
        made = statements.make(con, period, standing.version, mode)
        digest = statements.digest_of(made)
        statements.keep(con, period, standing.version, made)
        detail = {"mode": mode, "statements": len(made)}
        event = Event(
            period, standing.version, "review", actor, state=REVIEWED, digest=digest, detail=detail
        )
        note(con, event, now)
        missing = con.execute(load("close")["uninvoiced"], {"period": period}).fetchall()
    return Reviewed(digest, tuple(" ".join(filter(None, row)) for row in missing))


def sign_off(
    con: duckdb.DuckDBPyConnection,
    rules: CloseRules,
    period: str,
    actor: str,
    now: datetime,
    *,
    team: str = statements.EVERYTHING,
) -> list[Missing]:
    """Signs the statement of a team or of the whole period; returns what is still to be signed.

    With the last signature the period is locked.

    Raises:
        ConfigError: the actor may not sign or is the preparer, the period is not reviewed, its
            figures have moved since, or variances of it are not settled.
    """
    if team == statements.EVERYTHING:
        allow(con, period, rules.demand, "signers", actor)
    else:
        allow(con, period, rules.demand_team, team, actor)
    with transaction(con):
        standing = _in_state(con, period, (REVIEWED,), "signed off")
        _, preparer, _ = _last_review(con, period, standing)
        if actor == preparer:
            raise ConfigError(f"{actor!r} prepared {period}; somebody else has to sign it off")
        made = _unmoved(con, rules, period, standing)
        if team == statements.EVERYTHING:
            _check_variances(con, period, now)
        if team not in {each.team for each in made}:
            raise ConfigError(f"Period {period} has no statement of team {team!r}")
        event = Event(
            period,
            standing.version,
            "sign_off",
            actor,
            team=team or None,
            digest=statements.digest_of(made, team),
        )
        note(con, event, now)
        missing = missing_signatures(con, rules, period)
        if not missing:
            note(con, event._replace(state=SIGNED_OFF, action="lock", team=None), now)
            _mark(con, rules, period, SIGNED_OFF)
    return missing


def missing_signatures(
    con: duckdb.DuckDBPyConnection, rules: CloseRules, period: str
) -> list[Missing]:
    """What a reviewed period still needs: its own signature, and those of its large teams."""
    standing = state_of(con, period)
    made = statements.kept(con, period, standing.version)
    event_no, _, _ = _last_review(con, period, standing)
    asked = {"period": period, "version": standing.version, "after_no": event_no}
    rows = con.execute(load("close")["sign_offs"], asked).fetchall()
    signed = {(team, digest) for team, _, digest, _ in rows}
    needed = [statements.EVERYTHING, *_large_teams(con, rules, period)]
    wanted = [Missing(team, statements.digest_of(made, team)) for team in needed]
    return [each for each in wanted if tuple(each) not in signed]


def freeze(
    con: duckdb.DuckDBPyConnection,
    home: Path,
    rules: CloseRules,
    period: str,
    actor: str,
    now: datetime,
) -> str:
    """Seals a signed-off period, books it in the ledger; returns the digest of its statements.

    Killed half-way, the period is signed off as before; freezing again ends alike.

    Raises:
        ConfigError: the actor is no signer, the period is not signed off, or its figures moved.
    """
    allow(con, period, rules.demand, "signers", actor)
    standing = _in_state(con, period, (SIGNED_OFF,), "frozen")
    made = _unmoved(con, rules, period, standing)
    sealed = seal(con, home, period, standing.version)
    digest = statements.digest_of(made)
    with transaction(con):
        mode = rules.mode_of(period)
        reason = f"close of {period}, version {standing.version}"
        book_period(con, Posting("allocation", period, period, mode, actor, reason, now))
        _mark(con, rules, period, FROZEN)
        detail = {
            "mode": mode,
            "seal_sha256": sealed,
            "statements": {statements.manifest_name(each): each.sha256 for each in made},
            "ledger": head(con, LEDGER)._asdict(),
            "events": head(con, CLOSE_EVENTS)._asdict(),
        }
        event = Event(
            period, standing.version, "freeze", actor, state=FROZEN, digest=digest, detail=detail
        )
        note(con, event, now)
    return digest


def restate(
    con: duckdb.DuckDBPyConnection,
    rules: CloseRules,
    period: str,
    actor: str,
    reason: str,
    now: datetime,
) -> int:
    """Opens a locked period as a new version; sign-offs and statements of the old one are kept.

    The ledger is left as it is until the new version is frozen: then the old one is reversed.

    Raises:
        ConfigError: the actor is no approver, gives no reason, or the period is not locked.
    """
    allow(con, period, rules.demand, "approvers", actor)
    if not reason.strip():
        raise ConfigError(f"Why is {period} restated? Give --reason TEXT")
    with transaction(con):
        standing = _in_state(con, period, (SIGNED_OFF, FROZEN), "restated")
        version = standing.version + 1
        note(con, Event(period, version, "restate", actor, reason, state=OPEN), now)
        con.execute(load("close")["unmark_reconciliation"], {"period": period})
        con.execute(load("close")["mark_splits"], {"period": period, "status": "anchored"})
    return version


def _in_state(
    con: duckdb.DuckDBPyConnection, period: str, wanted: tuple[str, ...], done: str
) -> PeriodState:
    standing = state_of(con, period)
    if standing.state not in wanted:
        raise ConfigError(
            f"Period {period} is {standing.state}, it cannot be {done}; "
            f"expected {' or '.join(wanted)}"
        )
    return standing


def _check_ties(con: duckdb.DuckDBPyConnection, period: str) -> None:
    sql = load("close")
    for name, what in (
        ("stale_invoices", "came or changed after the last run"),
        ("untied", "is not what its split sums to"),
    ):
        found = con.execute(sql[name], {"period": period}).fetchone()
        if found:
            raise ConfigError(f"Invoice {found[0]!r} of {period} {what}; run anchor reconcile")


def _check_variances(con: duckdb.DuckDBPyConnection, period: str, now: datetime) -> None:
    waiting = unsettled(con, period, now)
    if waiting:
        raise ConfigError(
            f"{len(waiting)} variances of {period} are not settled, the largest "
            f"{waiting[0].category} of {waiting[0].invoice_id!r}; "
            f"see anchor close actions {period}"
        )


def _last_review(
    con: duckdb.DuckDBPyConnection, period: str, standing: PeriodState
) -> tuple[int, str, str]:
    asked = {"period": period, "version": standing.version}
    row = con.execute(load("close")["last_review"], asked).fetchone()
    if row is None:
        raise ConfigError(f"Nobody has reviewed {period}; run anchor close review {period}")
    return int(row[0]), str(row[1]), str(row[2])


def _unmoved(
    con: duckdb.DuckDBPyConnection, rules: CloseRules, period: str, standing: PeriodState
) -> tuple[statements.Statement, ...]:
    """The statements as the figures are now, which must be those that were reviewed."""
    _, _, reviewed = _last_review(con, period, standing)
    _check_ties(con, period)
    made = statements.make(con, period, standing.version, rules.mode_of(period))
    if statements.digest_of(made) != reviewed:
        raise ConfigError(
            f"The figures of {period} have moved since its review; run anchor close review {period}"
        )
    return made


def _large_teams(con: duckdb.DuckDBPyConnection, rules: CloseRules, period: str) -> list[str]:
    limit = rules.team_threshold
    if limit is None:
        return []
    return [
        team
        for team, amounts in statements.team_totals(con, period).items()
        if team != statements.UNATTRIBUTED and any(amount >= limit for amount in amounts.values())
    ]


def _mark(con: duckdb.DuckDBPyConnection, rules: CloseRules, period: str, status: str) -> None:
    sql = load("close")
    row = {"period": period, "status": status, "mode": rules.mode_of(period)}
    con.execute(sql["mark_reconciliation"], row)
    if status == FROZEN:
        con.execute(sql["mark_splits"], {"period": period, "status": FROZEN})
