"""Corrections: what people say later about receipts, as dated entries that nothing removes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.policy import Policy
from anchor_autopatch.core.policy.records import FIELDS
from anchor_autopatch.job.chain import CORRECTIONS, append
from anchor_autopatch.job.invoices.values import naive_utc
from anchor_autopatch.job.policy import rejudge
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from duckdb import DuckDBPyConnection

RELEASED = "released"
SELECTORS = ("team", "service", "feature", "environment", "call_site")


class Selection(NamedTuple):
    """Which receipts a correction is about: those that are named, else the held ones that fit."""

    receipt_ids: tuple[str, ...] = ()
    period: str | None = None
    where: Mapping[str, str] = {}
    """One of SELECTORS -> the value in force."""


class Decision(NamedTuple):
    """What somebody decides about them."""

    fields: Mapping[str, str]
    """Field -> the right value."""
    release: bool
    """True: charged as it is then, although the policy may ask for more."""
    actor: str
    reason: str


class Corrected(NamedTuple):
    """What was recorded."""

    correction_id: str
    receipt_count: int


class PastDecision(NamedTuple):
    """One decision of the audit trail."""

    correction_id: str
    recorded_at: datetime
    """UTC, without a zone."""
    actor: str
    reason: str
    receipts: int
    changes: str


def correct(
    con: DuckDBPyConnection,
    selection: Selection,
    decision: Decision,
    policy: Policy,
    now: datetime,
) -> Corrected:
    """Records a decision about receipts of open periods; what is held no more is charged again.

    Raises:
        ConfigError: nothing fits, a period is frozen, a value is not allowed, or the receipts would
            still be held; nothing was recorded.
    """
    _check(decision, policy)
    sql = load("policy")
    with transaction(con):
        con.execute(sql["select_receipts"], _selected(selection))
        count = len(con.execute(sql["selected_ids"]).fetchall())
        _check_selection(con, selection, count)
        correction_id = uuid4().hex
        # A release is an entry like a field's: one table is the whole audit trail.
        changes = {**decision.fields, **({RELEASED: "true"} if decision.release else {})}
        con.execute(
            sql["keep_corrections"],
            {
                "fields": list(changes),
                "values": list(changes.values()),
                "correction_id": correction_id,
                "actor": decision.actor,
                "reason": decision.reason,
                "now": naive_utc(now),
            },
        )
        # Judged before the commit: a decision that leaves a receipt held is refused whole, not kept
        # as an entry without effect.
        _vouch(con, correction_id, now)
        rejudge(con, policy, now)
        _check_released(con)
    return Corrected(correction_id, count)


def past_decisions(con: DuckDBPyConnection) -> list[PastDecision]:
    """The audit trail, latest first."""
    return [PastDecision(*row) for row in con.execute(load("policy")["corrections"]).fetchall()]


def _vouch(con: DuckDBPyConnection, correction_id: str, now: datetime) -> None:
    """Adds the decision to the chain, with a digest over its entries.

    One link a decision, not one an entry: a decision about a month of receipts has many thousands.
    """
    asked = {"correction_id": correction_id}
    for _, first, last, digest in con.execute(
        load("verify/corrections")["digests"], asked
    ).fetchall():
        entries = {"first_no": first, "last_no": last, "entries_sha256": digest}
        append(con, CORRECTIONS, [{**asked, **entries, "recorded_at": naive_utc(now)}])


def _selected(selection: Selection) -> dict[str, Any]:
    return {
        "receipt_ids": list(selection.receipt_ids),
        "period": selection.period,
        **{name: selection.where.get(name) for name in SELECTORS},
    }


def _check(decision: Decision, policy: Policy) -> None:
    if not decision.actor.strip() or not decision.reason.strip():
        raise ConfigError("A correction needs who decides and why; give --by NAME --reason TEXT")
    if not decision.fields and not decision.release:
        raise ConfigError("Nothing is decided; give --set FIELD=VALUE, or --accept")
    for field, value in decision.fields.items():
        if field not in FIELDS:
            raise ConfigError(f"Cannot correct {field!r}; known: {', '.join(FIELDS)}")
        words = policy.vocabularies.get(field)
        if words is not None and value not in words:
            known = ", ".join(sorted(words))
            raise ConfigError(f"{value!r} is no {field} of [vocabulary]; known: {known}")


def _check_selection(con: DuckDBPyConnection, selection: Selection, count: int) -> None:
    if not count:
        what = "those receipts" if selection.receipt_ids else "held receipts"
        raise ConfigError(f"Found none of {what}; anchor policy held lists what is held")
    # Ids that somebody named must all be there; what a condition selects may be any number.
    if len(set(selection.receipt_ids)) > count:
        missing = len(set(selection.receipt_ids)) - count
        raise ConfigError(f"{missing} of the receipts are not known, or not billable")
    # A frozen month is corrected in money (anchor close correct), never by changing its receipts.
    frozen = [period for (period,) in con.execute(load("policy")["frozen_selection"]).fetchall()]
    if frozen:
        raise ConfigError(
            f"Period {frozen[0]!r} is frozen, its receipts stay as they are; "
            "name receipts of open periods"
        )


def _check_released(con: DuckDBPyConnection) -> None:
    problems, held = con.execute(load("policy")["still_held"]).fetchone() or (None, 0)
    if held:
        raise ConfigError(
            f"{held} of the receipts would still be held ({problems}); give what is missing with "
            "--set FIELD=VALUE, or --accept to charge them as they are"
        )
