"""Totals that a person types: they outrank every other source of their scope."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.errors import InvoiceError
from anchor_autopatch.job.invoices.booking import Booked, book, objection
from anchor_autopatch.job.invoices.currencies import minor_units
from anchor_autopatch.job.invoices.documents import keep_document, read_document
from anchor_autopatch.job.invoices.landing import (
    Authority,
    Invoice,
    InvoiceLine,
    exact,
    landed,
    make_invoice,
)
from anchor_autopatch.job.invoices.values import (
    Context,
    naive_utc,
    next_month,
    parse_amount,
    parse_currency,
    parse_period,
    parse_provider,
)
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import duckdb

__all__ = ("TypedTotal", "add_total")


class TypedTotal(NamedTuple):
    """What a person typed, as text."""

    provider: str
    period: str
    """YYYY-MM."""
    total: str
    currency: str
    account: str = ""
    invoice_id: str | None = None
    """Number on the invoice; None = one made of provider, account and period."""
    document: Path | None = None
    """The invoice itself (PDF, image), kept as evidence."""


def add_total(
    con: duckdb.DuckDBPyConnection, typed: TypedTotal, now: datetime, *, replace: bool = False
) -> Booked:
    """Books a typed total; lines of other sources become its breakdown. Twice is as once.

    Args:
        con: Open warehouse.
        typed: The total.
        now: Aware.
        replace: Take it in place of the total typed before.

    Raises:
        InvoiceError: a value cannot be used, or another total stands; nothing was booked.
    """
    seen = con.execute(load("invoices")["seen_providers"]).fetchall()
    instant = naive_utc(now)
    try:
        invoice = _invoice(typed, Context(instant, seen_providers=[name for (name,) in seen]))
    except ValueError as error:
        raise InvoiceError(str(error)) from error
    document = read_document(typed.document) if typed.document else None
    with transaction(con):
        message = objection(con, invoice, replace=replace)
        if message is not None:
            raise InvoiceError(message)
        if document is not None:
            keep_document(con, document, "attachment", instant)
        booked = book(con, invoice, document.sha256 if document else None, instant)
    if booked is None:
        raise AssertionError(f"A typed total has a line, {invoice.invoice_id!r} has none")
    return booked


def _invoice(typed: TypedTotal, context: Context) -> Invoice:
    provider = parse_provider(typed.provider, context)
    start = parse_period(typed.period, context.now)
    currency = parse_currency(typed.currency)
    amount = _whole(typed.total, currency)
    line = InvoiceLine(
        amount=landed(amount),
        amount_text=typed.total,
        currency=currency,
        period_start=start,
        period_end=next_month(start),
        line_id="total",
        description="typed total",
    )
    parts = (provider, typed.account, f"{start:%Y-%m}")
    head = Invoice(
        invoice_id=typed.invoice_id or ":".join(filter(None, ("typed", *parts))),
        source="typed",
        authority=Authority.TYPED,
        provider=provider,
        account=typed.account,
        period=f"{start:%Y-%m}",
        currency=currency,
        minor_units=minor_units(currency) or 0,
        lines=(),
    )
    return make_invoice(head, [line])


def _whole(text: str, currency: str) -> Decimal:
    amount = parse_amount(text)
    digits = minor_units(currency) or 0
    if amount < 0:
        raise ValueError(f"Total {text!r} is negative; type what the invoice charges, as 0 or more")
    if amount != exact(amount, Decimal(1).scaleb(-digits)):
        raise ValueError(
            f"Total {text!r} has more than the {digits} decimals of {currency}; check it"
        )
    return amount
