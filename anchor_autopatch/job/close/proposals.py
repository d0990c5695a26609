"""Proposals to correct a frozen period: what they change, what became of them."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.close.events import FROZEN, Act, Event, note, state_of
from anchor_autopatch.job.close.ledger import App
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    import duckdb

__all__ = (
    "AUTOMATIC",
    "LATE_RECEIPTS",
    "NEW_RATES",
    "REALLOCATION",
    "Change",
    "Proposal",
    "changes_of",
    "decide",
    "demand_frozen",
    "digest_of",
    "proposals",
    "propose",
    "undecided",
)

LATE_RECEIPTS, NEW_RATES, REALLOCATION = "late_receipts", "new_rates", "reallocation"
AUTOMATIC = "anchor reconcile"
"""Who proposes what no person did."""


class Change(NamedTuple):
    """What is booked to an application, and what should be."""

    app: App
    booked: Decimal
    right: Decimal


class Proposal(NamedTuple):
    """A correction and what became of it."""

    correction_id: str
    period: str
    kind: str
    state: str
    """proposed | approved | rejected | withdrawn."""
    moved: Decimal
    """Money that changes hands."""
    currency: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str
    reason: str
    digest: str


def proposals(con: duckdb.DuckDBPyConnection, period: str | None = None) -> list[Proposal]:
    """Corrections of one period, or of all, oldest first, whatever became of them."""
    rows = con.execute(load("ledger")["proposals"], {"period": period}).fetchall()
    return [Proposal(*row) for row in rows]


def changes_of(con: duckdb.DuckDBPyConnection, correction_id: str) -> list[Change]:
    """What a correction changes, application by application."""
    asked = {"correction_id": correction_id}
    rows = con.execute(load("ledger")["correction_lines"], asked).fetchall()
    return [Change(App(*row[:7]), row[7], row[8]) for row in rows]


def propose(
    con: duckdb.DuckDBPyConnection, period: str, kind: str, changes: Sequence[Change], act: Act
) -> str:
    """Keeps a proposal, in the caller's transaction; returns its id."""
    correction_id = f"c-{uuid4().hex[:12]}"
    for app, booked, right in changes:
        line = {
            **app._asdict(),
            **{"correction_id": correction_id, "period": period, "kind": kind},
            **{"booked_amount": booked, "right_amount": right},
        }
        con.execute(load("ledger")["keep_correction"], line)
    version = state_of(con, period).version
    detail = {"kind": kind, "lines": len(changes)}
    event = Event(
        *(period, version, "propose", act.actor, act.reason),
        subject=correction_id,
        digest=digest_of(changes),
        detail=detail,
    )
    note(con, event, act.now)
    return correction_id


def decide(con: duckdb.DuckDBPyConnection, proposal: Proposal, action: str, act: Act) -> None:
    """Notes what became of a proposal, in the caller's transaction."""
    version = state_of(con, proposal.period).version
    event = Event(
        *(proposal.period, version, action, act.actor, act.reason),
        subject=proposal.correction_id,
        digest=proposal.digest,
    )
    note(con, event, act.now)


def undecided(con: duckdb.DuckDBPyConnection, correction_id: str) -> Proposal:
    """A proposal that still waits, as it was proposed.

    Raises:
        ConfigError: there is none of that id, it is decided, or somebody changed its lines.
    """
    found = {each.correction_id: each for each in proposals(con)}
    proposal = found.get(correction_id)
    if proposal is None or proposal.state != "proposed":
        open_ids = [each.correction_id for each in found.values() if each.state == "proposed"]
        what = f"is {proposal.state}" if proposal else "is not known"
        raise ConfigError(
            f"Correction {correction_id!r} {what}; proposed: {', '.join(open_ids) or 'none'}"
        )
    # What is approved must be what was proposed, to the byte.
    if digest_of(changes_of(con, correction_id)) != proposal.digest:
        raise ConfigError(
            f"Correction {correction_id!r} is not as it was proposed; run anchor verify"
        )
    demand_frozen(con, proposal.period)
    return proposal


def demand_frozen(con: duckdb.DuckDBPyConnection, period: str) -> None:
    """Lets frozen periods pass.

    Raises:
        ConfigError: the period still moves by itself.
    """
    state = state_of(con, period).state
    if state != FROZEN:
        raise ConfigError(
            f"Period {period} is {state}; corrections are for frozen periods, "
            "an open one follows its receipts and invoices"
        )


def digest_of(changes: Sequence[Change]) -> str:
    """SHA-256 (hex) of what would change, whatever the order."""
    lines = [
        [*each.app, f"{each.booked:.18f}", f"{each.right:.18f}"]
        for each in sorted(changes, key=lambda each: [part or "" for part in each.app])
    ]
    return sha256(json.dumps(lines).encode()).hexdigest()
