"""Finds the variances of open periods and keeps the list of what to do about them."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from anchor_autopatch.core.errors import InvoiceError
from anchor_autopatch.job.findings import money
from anchor_autopatch.job.invoices.values import naive_utc
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.variance.classifying import (
    Invoice,
    OtherLine,
    Part,
    Unit,
    classify,
    from_usd,
)
from anchor_autopatch.job.variance.rules import OWNERS, VarianceRules
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    import duckdb

__all__ = ("Action", "actions", "find_unsettled", "find_variances")

_CENT = Decimal("0.01")


class Action(NamedTuple):
    """What somebody has to do about a variance."""

    action_id: str
    period: str
    provider: str
    account: str
    invoice_id: str
    category: str
    amount: Decimal
    currency: str
    owner: str
    state: str
    """open | assigned | settled | gone."""
    age_days: int
    evidence: str
    note: str


def find_variances(
    con: duckdb.DuckDBPyConnection,
    rules: VarianceRules,
    owners: Mapping[str, str],
    now: datetime,
) -> None:
    """Classifies every difference of the invoices that the allocation of this run divided.

    It reads the working tables of `allocate_open_periods`, on the same connection.

    Raises:
        InvoiceError: the parts of an invoice do not sum to its difference; nothing was changed.
    """
    sql = load("variance")
    with transaction(con):
        con.execute(sql["forget_open"])
        others, units = _others(con), _units(con)
        for row in con.execute(sql["invoices"]).fetchall():
            invoice, converted = _converted(Invoice(*row), units[row[3]])
            # The floor is USD, as the estimates are.
            floor = Decimal(from_usd(int(rules.floor * 10**9), invoice)).scaleb(-9)
            local = rules._replace(floor=floor)
            parts = classify(invoice, others[invoice.invoice_id], converted, local)
            _assert_whole(invoice, parts)
            for part in parts:
                con.execute(sql["keep_line"], _row(invoice, part, {**OWNERS, **owners}))
        con.execute(sql["outdate_actions"])
        for found in con.execute(sql["found_actions"]).fetchall():
            _keep_action(con, found, now)
        con.execute(sql["note_classified"])


def actions(
    con: duckdb.DuckDBPyConnection, now: datetime, period: str | None = None
) -> list[Action]:
    """Actions of a period, or of all, with owner, state and age."""
    asked = {"period": period, "now": naive_utc(now)}
    return [Action(*row) for row in con.execute(load("variance")["actions"], asked).fetchall()]


def find_unsettled(con: duckdb.DuckDBPyConnection, now: datetime) -> Iterator[str]:
    """Actions that nobody has settled, one line each, with who mends it."""
    for each in actions(con, now):
        if each.state in ("open", "assigned"):
            yield (
                f"{each.period} {each.invoice_id}: {money(each.amount.quantize(_CENT))} "
                f"{each.currency} of {each.category} ({each.evidence}), for {each.owner}, "
                f"{each.age_days} days; anchor close actions --settle {each.action_id}"
            )


def _converted(invoice: Invoice, units: list[Unit]) -> tuple[Invoice, list[Unit]]:
    """Estimates in the currency of the invoice, at its booked rate; USD stay as they are."""
    return (
        invoice._replace(
            estimated=from_usd(invoice.estimated, invoice),
            elsewhere=from_usd(invoice.elsewhere, invoice),
        ),
        [
            unit._replace(estimated=from_usd(unit.estimated, invoice), estimated_usd=unit.estimated)
            for unit in units
        ],
    )


def _others(con: duckdb.DuckDBPyConnection) -> dict[str, list[OtherLine]]:
    found: dict[str, list[OtherLine]] = defaultdict(list)
    for invoice_id, *line in con.execute(load("variance")["other_lines"]).fetchall():
        found[invoice_id].append(OtherLine(*line))
    for invoice_id, idle in con.execute(load("variance")["idle"]).fetchall():
        found[invoice_id].append(OtherLine("idle", False, idle, 1))
    return found


def _units(con: duckdb.DuckDBPyConnection) -> dict[str, list[Unit]]:
    found: dict[str, list[Unit]] = defaultdict(list)
    for invoice_id, *unit in con.execute(load("variance")["units"]).fetchall():
        found[invoice_id].append(Unit(*unit))
    return found


def _assert_whole(invoice: Invoice, parts: list[Part]) -> None:
    total = sum(part.amount for part in parts)
    if total != invoice.total - invoice.estimated:
        raise InvoiceError(
            f"Variances of {invoice.invoice_id!r} sum to {total}, not to "
            f"{invoice.total - invoice.estimated}; nothing was changed, please report this"
        )


def _row(invoice: Invoice, part: Part, owners: Mapping[str, str]) -> dict[str, Any]:
    unit = part.unit
    return {
        **{name: getattr(invoice, name) for name in ("period", "provider", "account")},
        **{"invoice_id": invoice.invoice_id, "currency": invoice.currency},
        **{"category": part.category, "amount": _money(part.amount), "flagged": part.flagged},
        **{"evidence": part.evidence, "owner": owners[part.category]},
        **{name: getattr(unit, name) if unit else "" for name in ("model", "meter", "tier")},
        "invoiced": _money(unit.amount) if unit else None,
        "estimated_usd": _money(unit.estimated_usd) if unit else None,
        "invoiced_quantity": _quantity(unit.invoiced_quantity) if unit else None,
        "counted_quantity": _quantity(unit.counted_quantity) if unit else None,
    }


def _money(nano: int) -> Decimal:
    return Decimal(nano).scaleb(-9)


def _quantity(micro: int | None) -> Decimal | None:
    return None if micro is None else Decimal(micro).scaleb(-6)


_ACTION = (
    *("period", "provider", "account", "invoice_id", "category", "amount", "currency"),
    *("evidence", "owner"),
)


def _keep_action(con: duckdb.DuckDBPyConnection, found: tuple[Any, ...], now: datetime) -> None:
    row = dict(zip(_ACTION, found, strict=True))
    # Derived, not drawn: the same variance is the same action in every run.
    row["action_id"] = f"v-{sha256(repr(found[:5]).encode()).hexdigest()[:12]}"
    renewal = {name: row[name] for name in ("action_id", "amount", "evidence", "owner")}
    if con.execute(load("variance")["renew_action"], renewal).fetchone() is None:
        con.execute(load("variance")["keep_action"], {**row, "now": naive_utc(now)})
