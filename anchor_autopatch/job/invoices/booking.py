"""Puts invoices in force in the warehouse: once, whole, and never over another amount unasked."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.invoices.controls import agreement, is_ungrouped
from anchor_autopatch.job.invoices.landing import Invoice, exact
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import duckdb

__all__ = ("Booked", "book", "objection")

_COLUMNS = (
    "line_id",
    "period_start",
    "period_end",
    "charge_category",
    "description",
    "service",
    "model_raw",
    "meter",
    "tier",
    "region",
    "project",
    "api_key",
    "user_id",
    "tags",
    "quantity",
    "quantity_unit",
    "amount",
    "amount_text",
    "currency",
    "list_amount",
    "is_final",
)


class Booked(NamedTuple):
    """What became of one invoice of an import."""

    invoice_id: str
    provider: str
    account: str
    period: str
    total: Decimal
    currency: str
    lines: int
    outcome: str
    """imported | unchanged | restated | replaced | agrees (ungrouped days of a cost API)."""
    note: str = ""
    """What of the file was left out, and why."""

    @property
    def detail(self) -> str:
        """What it is, in words, after provider and period."""
        note = f"; {self.note}" if self.note else ""
        money = f"{self.total} {self.currency}, lines: {self.lines}"
        return f"invoice {self.invoice_id}: {money}{note}"


class _Rival(NamedTuple):
    invoice_id: str
    source: str
    authority: int
    provider: str
    account: str
    period: str
    currency: str
    total: Decimal
    lines_sha256: str | None


def objection(
    con: duckdb.DuckDBPyConnection, invoice: Invoice, *, replace: bool = False
) -> str | None:
    """Why this invoice cannot be booked beside those in force; None when it can."""
    if (invoice.period,) in con.execute(load("invoices")["frozen_periods"]).fetchall():
        return f"Period {invoice.period!r} is closed; book what came late as a correction"
    rivals = _rivals(con, invoice)
    same = next((rival for rival in rivals if rival.invoice_id == invoice.invoice_id), None)
    scope = (invoice.provider, invoice.account, invoice.period)
    if same is not None and (same.provider, same.account, same.period) != scope:
        return (
            f"Invoice {invoice.invoice_id!r} is already the one of {_scope(same)}; "
            "check its number, provider, account and period"
        )
    if same is not None:
        message = _against(con, same, invoice, replace=replace)
        if message is not None:
            return message
    return _rivalry([rival for rival in rivals if rival is not same], invoice)


def _against(
    con: duckdb.DuckDBPyConnection, same: _Rival, invoice: Invoice, *, replace: bool
) -> str | None:
    """What stands against taking an invoice in place of the one with its id."""
    if invoice.days is not None:
        # Days without any line say that nothing is charged any more: a restatement, no control.
        is_control = bool(invoice.lines) and is_ungrouped(invoice)
        return agreement(con, invoice)[1] if is_control else None
    if replace:
        return None
    return _shorter(con, invoice) if invoice.snapshot else _changed(same, invoice)


def _shorter(con: duckdb.DuckDBPyConnection, invoice: Invoice) -> str | None:
    # A month only grows: one that ends earlier is an older export, or lacks a part.
    known = {"invoice_id": invoice.invoice_id}
    (before,) = con.execute(load("invoices")["last_usage"], known).fetchone() or (None,)
    ends = [line.period_end for line in invoice.lines if line.charge_category == "usage"]
    if before is None or (ends and max(ends) >= before):
        return None
    reaches = f"to {max(ends)}" if ends else "nowhere"
    return (
        f"Usage of {invoice.invoice_id!r} reaches {reaches}, what was imported before to {before}; "
        "import the newest export with all of its parts, or go back with --replace"
    )


def _rivalry(rivals: Sequence[_Rival], invoice: Invoice) -> str | None:
    for rival in rivals:
        if rival.authority == invoice.authority:
            return (
                f"Invoice {invoice.invoice_id!r} is a second one for {_scope(rival)}, which has "
                f"{rival.invoice_id!r}; name another account, or put both under one invoice_id"
            )
        if rival.currency != invoice.currency:
            return (
                f"Currency {invoice.currency!r} differs from the {rival.currency} of "
                f"{rival.invoice_id!r} for {_scope(rival)}; both must be in one currency"
            )
    return None


def _changed(same: _Rival, invoice: Invoice) -> str | None:
    if same.total != invoice.total or same.currency != invoice.currency:
        old = exact(same.total, Decimal(1).scaleb(-invoice.minor_units))
        return (
            f"Invoice {invoice.invoice_id!r} was imported with {old} {same.currency}, now it says "
            f"{invoice.total} {invoice.currency}; if it was reissued, use --replace"
        )
    if same.lines_sha256 != invoice.digest:
        return (
            f"Invoice {invoice.invoice_id!r} was imported with other lines of the same total "
            f"{invoice.total} {invoice.currency}; if it was reissued, use --replace"
        )
    return None


def book(
    con: duckdb.DuckDBPyConnection, invoice: Invoice, document_sha256: str | None, now: datetime
) -> Booked | None:
    """Puts an invoice that meets no objection in force; booking it twice changes nothing.

    Returns:
        What happened; None for days of a cost API that say nothing and never did.
    """
    statements = load("invoices")
    same = [rival for rival in _rivals(con, invoice) if rival.invoice_id == invoice.invoice_id]
    if invoice.days is not None:
        booked = _book_days(con, invoice, document_sha256, now, known=bool(same))
        if booked is not None:
            # Also when nothing is different: that it is not is what a close waits for.
            told = {"invoice_id": invoice.invoice_id, "now": now}
            covered_to = max(end for _, end in invoice.days)
            con.execute(statements["forget_fetch"], told)
            con.execute(statements["keep_fetch"], {**told, "covered_to": covered_to})
        return booked
    if same and _changed(same[0], invoice) is None:
        return _booked(invoice, invoice.total, "unchanged")
    if same:
        known = {"invoice_id": invoice.invoice_id, "now": now}
        con.execute(statements["supersede_invoice"], known)
        con.execute(statements["supersede_lines"], known)
    _insert_lines(con, invoice, document_sha256, now)
    _insert_invoice(con, invoice, document_sha256, now)
    again = "restated" if invoice.snapshot else "replaced"
    return _booked(invoice, invoice.total, again if same else "imported")


def _book_days(
    con: duckdb.DuckDBPyConnection,
    invoice: Invoice,
    document_sha256: str | None,
    now: datetime,
    *,
    known: bool,
) -> Booked | None:
    if not invoice.lines and not known:
        return None
    statements = load("invoices")
    if known and invoice.lines and is_ungrouped(invoice) and agreement(con, invoice)[0]:
        # Lines that say what they charge for stay in force; the objection was that they differ.
        return _booked(invoice, _sum_lines(con, invoice)[0], "agrees")
    starts, ends = zip(*invoice.days or (), strict=True)
    days = {"invoice_id": invoice.invoice_id, "starts": list(starts), "ends": list(ends)}
    in_force = con.execute(statements["days_in_force"], days).fetchall()
    told = sorted((line.line_id, exact(line.amount, Decimal("1e-12"))) for line in invoice.lines)
    if known and in_force == told:
        return _booked(invoice, _sum_lines(con, invoice)[0], "unchanged")
    con.execute(statements["supersede_days"], days | {"now": now})
    _insert_lines(con, invoice, document_sha256, now)
    if known:
        con.execute(statements["supersede_invoice"], {"invoice_id": invoice.invoice_id, "now": now})
    total = _insert_invoice(con, invoice, document_sha256, now)
    return _booked(invoice, total, "restated" if in_force else "imported")


def _insert_invoice(
    con: duckdb.DuckDBPyConnection, invoice: Invoice, document_sha256: str | None, now: datetime
) -> Decimal:
    total, is_detailed = _sum_lines(con, invoice)
    con.execute(
        load("invoices")["insert_invoice"],
        {
            "invoice_id": invoice.invoice_id,
            "source": invoice.source,
            "authority": invoice.authority,
            "provider": invoice.provider,
            "account": invoice.account,
            "period": invoice.period,
            "currency": invoice.currency,
            "minor_units": invoice.minor_units,
            "total": total,
            "is_detailed": is_detailed,
            "lines_sha256": invoice.digest if invoice.days is None else None,
            "document_sha256": document_sha256,
            "now": now,
        },
    )
    return total


def _insert_lines(
    con: duckdb.DuckDBPyConnection, invoice: Invoice, document_sha256: str | None, now: datetime
) -> None:
    columns = {name: [getattr(line, name) for line in invoice.lines] for name in _COLUMNS}
    head = {
        "invoice_id": invoice.invoice_id,
        "source": invoice.source,
        "provider": invoice.provider,
        "account": invoice.account,
        "period": invoice.period,
        "document_sha256": [line.document_sha256 or document_sha256 for line in invoice.lines],
        "now": now,
    }
    con.execute(load("invoices")["insert_lines"], head | columns)


def _sum_lines(con: duckdb.DuckDBPyConnection, invoice: Invoice) -> tuple[Decimal, bool]:
    known = {"invoice_id": invoice.invoice_id}
    row = con.execute(load("invoices")["sum_lines"], known).fetchone()
    if row is None:  # an aggregate always has its row
        raise AssertionError(f"No sum of the lines of {invoice.invoice_id!r}")
    return exact(row[0], Decimal(1).scaleb(-invoice.minor_units)), bool(row[1])


def _rivals(con: duckdb.DuckDBPyConnection, invoice: Invoice) -> list[_Rival]:
    found = con.execute(
        load("invoices")["rivals"],
        {
            "invoice_id": invoice.invoice_id,
            "provider": invoice.provider,
            "account": invoice.account,
            "period": invoice.period,
        },
    )
    return [_Rival(*row) for row in found.fetchall()]


def _booked(invoice: Invoice, total: Decimal, outcome: str) -> Booked:
    return Booked(
        invoice.invoice_id,
        invoice.provider,
        invoice.account,
        invoice.period,
        total,
        invoice.currency,
        len(invoice.lines),
        outcome,
    )


def _scope(rival: _Rival) -> str:
    account = f" account {rival.account!r}" if rival.account else ""
    return f"{rival.provider}{account} {rival.period}"
