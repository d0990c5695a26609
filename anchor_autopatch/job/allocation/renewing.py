"""Which open periods a run has to divide again: those of which anything has changed.

A period is left as it is when its receipts, lines, usage reports and policy findings are those that
it was divided from, nothing about its receipts bears a later instant than the last run, and the
rules are the same. When in doubt it is divided: the result is the same, it only takes longer. An
invoice is divided whole, since taxes, credits and cents are shared by everything on it.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.allocation.statements import statements
from anchor_autopatch.job.invoices.values import naive_utc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import duckdb

__all__ = ("Division", "keep_division", "plan_division")


class Division(NamedTuple):
    """What a run divides, and from what."""

    unchanged: tuple[str, ...]
    """Open periods that are left as they are."""
    signatures: Mapping[str, str]
    """Of every open period."""
    rules: str
    """SHA-256 over everything that is no data: statements and settings."""


def plan_division(con: duckdb.DuckDBPyConnection, now: datetime, *rules: object) -> Division:
    """Compares every open period with what it was divided from; needs scope_key, billing_month.

    Args:
        con: In the transaction that divides.
        now: Of this run, aware; an earlier instant than the last run's makes everything new.
        rules: Settings that the result depends on, as they print.
    """
    sql = statements()
    signatures = dict(con.execute(sql["period_signatures"]).fetchall())
    rates = con.execute(sql["booked_rates"]).fetchall()
    digest = sha256(repr((sorted(sql.items()), rules, rates)).encode()).hexdigest()
    last = con.execute(sql["last_division"]).fetchone()
    if last is None or last[0] > naive_utc(now):
        return Division((), signatures, digest)
    at, signature, is_classified = last
    # Killed before it found the variances of what it had divided, a run leaves work undone.
    if not is_classified or signature != _signature(con, at, digest):
        return Division((), signatures, digest)
    marks = dict(con.execute(sql["marks"]).fetchall())
    changed = {period for (period,) in con.execute(sql["later_periods"], {"at": at}).fetchall()}
    changed |= {period for period, found in signatures.items() if marks.get(period) != found}
    for pair in con.execute(sql["adjusting_periods"]).fetchall():
        changed.update(pair)
    return Division(tuple(sorted(signatures.keys() - changed)), signatures, digest)


def keep_division(
    con: duckdb.DuckDBPyConnection, now: datetime, division: Division, *, is_classified: bool
) -> None:
    """Notes what this run divided from, in the transaction that divides.

    `is_classified` is false where the variances are still to be found; who finds them says so.
    """
    sql, at = statements(), naive_utc(now)
    con.execute(sql["forget_marks"])
    columns = {"period": list(division.signatures), "signature": [*division.signatures.values()]}
    con.execute(sql["keep_marks"], columns)
    con.execute(sql["forget_division"])
    row = {
        "at": at,
        "signature": _signature(con, at, division.rules),
        "is_classified": is_classified,
    }
    con.execute(sql["keep_division"], row)


def _signature(con: duckdb.DuckDBPyConnection, at: datetime, rules: str) -> str:
    rows = con.execute(statements()["stamped_rows"], {"at": at}).fetchall()
    return json.dumps([rules, rows])
