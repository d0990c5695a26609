"""Corrections of frozen periods: proposed by one, approved by another, booked in the open period.

A frozen period never changes. What should have been different about it (receipts that came late,
money that somebody moves) is a proposal; approved, the ledger takes the old booking back and books
the right one, both in the open period, both naming the transaction that they correct.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.allocation import KeyMap, Policies, divide_anew
from anchor_autopatch.job.close.events import Act, allow
from anchor_autopatch.job.close.ledger import App, Booking, Posting, rebook, standing
from anchor_autopatch.job.close.proposals import (
    AUTOMATIC,
    LATE_RECEIPTS,
    NEW_RATES,
    REALLOCATION,
    Change,
    changes_of,
    decide,
    demand_frozen,
    digest_of,
    proposals,
    propose,
    undecided,
)
from anchor_autopatch.job.invoices.currencies import minor_units
from anchor_autopatch.job.invoices.values import next_month, parse_period
from anchor_autopatch.job.pricing import repriced_periods
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import duckdb

    from anchor_autopatch.job.close.rules import CloseRules

__all__ = ("Move", "approve", "propose_late", "propose_move", "reject")


class Move(NamedTuple):
    """Money that somebody wants moved between two applications of one invoice."""

    source: Mapping[str, str]
    """team, service, environment, invoice_id as they are booked; must mean one application."""
    target: Mapping[str, str]
    """team, service, environment that it belongs to."""
    amount: Decimal


def propose_late(
    con: duckdb.DuckDBPyConnection,
    now: datetime,
    keys: KeyMap = KeyMap({}, {}),  # noqa: B008 - frozen
    policies: Policies = Policies(),  # noqa: B008 - frozen
) -> list[str]:
    """Proposes what would be different by what came after the freeze; returns new proposals.

    The invoice is divided anew with that period's receipts, late ones and rates that were learnt
    since included: one proposal for both, since either alone would take the other back. The same
    finding is proposed once; when more comes, a new proposal takes the place of the open one.
    """
    made = []
    late = dict(con.execute(load("ledger")["late_receipts"]).fetchall())
    repriced = repriced_periods(con)
    for period in sorted({*late, *repriced}):
        rows = divide_anew(con, period, keys, policies)
        changes = _differences(con, period, [Booking(App(*row[:7]), row[7]) for row in rows])
        reason = _reason(period, late.get(period, 0), repriced.get(period, 0))
        kind = LATE_RECEIPTS if period in late else NEW_RATES
        with transaction(con):
            made += _propose_once(con, period, (kind, changes), reason, now)
    return made


def propose_move(
    con: duckdb.DuckDBPyConnection,
    rules: CloseRules,
    period: str,
    move: Move,
    act: Act,
) -> str:
    """Proposes to move money of a frozen period between applications; returns its id.

    Raises:
        ConfigError: no preparer, no reason, the period is not frozen, or the source is not one
            application that has that much.
    """
    allow(con, period, rules.demand, "preparers", act.actor)
    if not act.reason.strip():
        raise ConfigError("Why is the money moved? Give --reason TEXT")
    with transaction(con):
        demand_frozen(con, period)
        booked = {booking.app: booking.amount for booking in standing(con, period)}
        source = _one_app(booked, move.source)
        target = source._replace(
            team=move.target.get("team"),
            service=move.target.get("service"),
            environment=move.target.get("environment"),
        )
        _check_move(source, target, booked[source], move.amount)
        there = booked.get(target, Decimal(0))
        changes = [
            Change(source, booked[source], booked[source] - move.amount),
            Change(target, there, there + move.amount),
        ]
        return propose(con, period, REALLOCATION, changes, act)


def approve(con: duckdb.DuckDBPyConnection, rules: CloseRules, correction_id: str, act: Act) -> str:
    """Books a proposal: reverses and rebooks in the open period, whose month is returned.

    Raises:
        ConfigError: no approver, or the one who proposed it; the proposal is decided already, or
            the ledger has moved since.
    """
    rules.demand("approvers", act.actor)
    with transaction(con):
        proposal = undecided(con, correction_id)
        if act.actor == proposal.proposed_by:
            raise ConfigError(
                f"{act.actor!r} proposed {correction_id}; somebody else has to approve it"
            )
        changes = changes_of(con, correction_id)
        booked = {booking.app: booking.amount for booking in standing(con, proposal.period)}
        if any(booked.get(each.app, Decimal(0)) != each.booked for each in changes):
            raise ConfigError(
                f"The ledger of {proposal.period} has moved since {correction_id} was proposed; "
                "reject it and propose it again"
            )
        open_period = _open_period(con, proposal.period, act.now)
        mode = con.execute(load("ledger")["mode_of_ledger"], {"period": proposal.period}).fetchone()
        posting = Posting(
            "correction",
            *(proposal.period, open_period, str((mode or ("",))[0])),
            *(act.actor, f"{correction_id}: {proposal.reason}", act.now),
        )
        rebook(
            con,
            posting,
            [Booking(each.app, each.booked) for each in changes],
            [Booking(each.app, each.right) for each in changes],
        )
        decide(con, proposal, "approve", act)
    return open_period


def reject(con: duckdb.DuckDBPyConnection, rules: CloseRules, correction_id: str, act: Act) -> None:
    """Declines a proposal; it stays in the trail.

    Raises:
        ConfigError: no approver, no reason, or it is decided already.
    """
    rules.demand("approvers", act.actor)
    if not act.reason.strip():
        raise ConfigError(f"Why is {correction_id} rejected? Give --reason TEXT")
    with transaction(con):
        decide(con, undecided(con, correction_id), "reject", act)


def _differences(
    con: duckdb.DuckDBPyConnection, period: str, wanted: Sequence[Booking]
) -> list[Change]:
    booked = {booking.app: booking.amount for booking in standing(con, period)}
    right = {booking.app: booking.amount for booking in wanted}
    # Invoices that are booked and not divided any more would be another document: a restatement.
    invoices = {app.invoice for app in right} & {app.invoice for app in booked}
    changes = [
        Change(app, booked.get(app, Decimal(0)), right.get(app, Decimal(0)))
        for app in sorted({*booked, *right}, key=lambda app: [part or "" for part in app])
        if app.invoice in invoices
    ]
    return [each for each in changes if each.booked != each.right]


def _propose_once(
    con: duckdb.DuckDBPyConnection,
    period: str,
    what: tuple[str, Sequence[Change]],
    reason: str,
    now: datetime,
) -> list[str]:
    kind, changes = what
    late = [each for each in proposals(con, period) if each.kind in (LATE_RECEIPTS, NEW_RATES)]
    digest = digest_of(changes)
    # Also one that was rejected: the same figures need not be decided twice.
    if any(each.digest == digest and each.state != "withdrawn" for each in late):
        return []
    for each in late:
        if each.state == "proposed":
            decide(con, each, "withdraw", Act(AUTOMATIC, "the figures moved", now))
    if not changes:
        return []
    return [propose(con, period, kind, changes, Act(AUTOMATIC, reason, now))]


def _reason(period: str, late: int, repriced: int) -> str:
    parts = []
    if late:
        parts.append(f"{late} receipt{'' if late == 1 else 's'} came after {period} was closed")
    if repriced:
        cost = "receipt of it costs" if repriced == 1 else "receipts of it cost"
        parts.append(f"{repriced} {cost} another amount by rates learnt since")
    return " and ".join(parts)


def _open_period(con: duckdb.DuckDBPyConnection, period: str, now: datetime) -> str:
    locked = {name for (name,) in con.execute(load("ledger")["locked_periods"]).fetchall()}
    month = next_month(parse_period(period, now.replace(tzinfo=None)))
    while f"{month:%Y-%m}" in locked:
        month = next_month(month)
    return f"{month:%Y-%m}"


def _one_app(booked: Mapping[App, Decimal], source: Mapping[str, str]) -> App:
    fits = [
        app
        for app in booked
        if all((getattr(app, field) or "") == value for field, value in source.items())
    ]
    if len(fits) != 1:
        wanted = ", ".join(f"{field}={value}" for field, value in source.items())
        raise ConfigError(
            f"{wanted or 'Nothing'} means {len(fits)} applications of the ledger, expected 1; "
            "name team, service, environment and invoice_id"
        )
    return fits[0]


def _check_move(source: App, target: App, booked: Decimal, amount: Decimal) -> None:
    if source == target:
        raise ConfigError(f"The money is already with {source.service!r}; name another --to")
    decimals = minor_units(source.currency)
    if amount <= 0 or amount != round(amount, 2 if decimals is None else decimals):
        raise ConfigError(f"Cannot move {amount} {source.currency}; expected whole cents above 0")
    if amount > booked:
        raise ConfigError(
            f"Cannot move {amount} {source.currency}: only {booked:f} is booked there"
        )
