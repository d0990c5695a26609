"""A CSV invoice of any provider: one row per line, or one row for the whole total.

Columns in any order: invoice_id, provider, period, amount, currency; and where known line_id,
description, service, model, meter, tier, region, quantity, quantity_unit, charge_category, project,
api_key, account. Others are ignored. UTF-8, with or without a byte order mark; fields with commas
in double quotes (RFC 4180).
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.invoices.currencies import minor_units
from anchor_autopatch.job.invoices.formats.tables import Table, require_columns
from anchor_autopatch.job.invoices.landing import (
    CHARGE_CATEGORIES,
    Authority,
    Invoice,
    InvoiceLine,
    landed,
    make_invoice,
)
from anchor_autopatch.job.invoices.meters import meter_of
from anchor_autopatch.job.invoices.reading import Landed, Source
from anchor_autopatch.job.invoices.values import (
    next_month,
    parse_amount,
    parse_currency,
    parse_period,
    parse_provider,
)

if TYPE_CHECKING:
    from datetime import datetime

    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.formats.payloads import Payload
    from anchor_autopatch.job.invoices.values import Context

__all__ = ("SOURCE",)

_REQUIRED = ("invoice_id", "provider", "period", "amount", "currency")
_SHARED = ("provider", "account", "period", "currency")
_SHOWN = 60
"""Characters of a foreign header that are enough to know the file by."""


class _Row(NamedTuple):
    """One row whose values are all readable."""

    invoice_id: str
    provider: str
    account: str
    period: str
    line: InvoiceLine


def _read(payload: Payload, context: Context, findings: Findings) -> Landed:
    if payload.table is None:
        findings.add(None, "This is no table; name its format with --format")
        return Landed()
    by_invoice: dict[str, list[_Row | None]] = {}
    if _check_header(payload.table, context, findings):
        for number, values in payload.table.rows:
            row = _read_row(number, values, context, findings)
            by_invoice.setdefault(values["invoice_id"], []).append(row)
    if not by_invoice and not findings:
        findings.add(None, "No invoice line below the header; export the invoice again")
    groups = [[row for row in rows if row is not None] for rows in by_invoice.values()]
    invoices = [_invoice(rows, findings) for rows in groups if rows]
    whole = (invoice for invoice in invoices if None not in by_invoice[invoice.invoice_id])
    return Landed(tuple(whole))


# Any table with the columns; so it is tried last.
SOURCE = Source("csv", lambda payload: payload.table is not None, _read)


def _check_header(table: Table, context: Context, findings: Findings) -> bool:
    if not set(_REQUIRED) & set(table.header):
        # Nothing of it is there: a list of missing columns would send people the wrong way.
        text = (
            f"No format is known by {', '.join(table.header)[:_SHOWN]!r}, nor has it a column of "
            f"the generic CSV ({', '.join(_REQUIRED)}); is it another file?"
        )
        findings.add(table.header_row, text)
        return False
    given = {"provider"} if context.provider else set()
    return require_columns(table, tuple(name for name in _REQUIRED if name not in given), findings)


def _read_row(
    number: int, values: dict[str, str], context: Context, findings: Findings
) -> _Row | None:
    # Every value is read even after a bad one, so that a person mends the file once.
    before = len(findings)
    if not values["invoice_id"]:
        findings.add(number, "Column 'invoice_id' is empty; write the number of the invoice")
    provider = findings.read(
        number,
        partial(parse_provider, context=context),
        values.get("provider") or context.provider or "",
    )
    start = findings.read(number, partial(parse_period, now=context.now), values["period"])
    line = _read_line(number, values, start, findings)
    if provider is None or start is None or line is None or len(findings) > before:
        return None
    account = values.get("account") or context.account
    return _Row(values["invoice_id"], provider, account, f"{start:%Y-%m}", line)


def _read_line(
    number: int, values: dict[str, str], start: datetime | None, findings: Findings
) -> InvoiceLine | None:
    amount = findings.read(number, parse_amount, values["amount"])
    currency = findings.read(number, parse_currency, values["currency"])
    category = findings.read(number, _parse_category, values.get("charge_category", ""))
    quantity = findings.read(number, _parse_quantity, values.get("quantity", ""))
    if start is None or amount is None or currency is None or category is None:
        return None
    return InvoiceLine(
        amount=landed(amount),
        amount_text=values["amount"],
        currency=currency,
        period_start=start,
        period_end=next_month(start),
        line_id=values.get("line_id", ""),
        charge_category=category,
        description=values.get("description") or None,
        service=values.get("service") or None,
        model_raw=values.get("model") or None,
        meter=meter_of(values.get("meter", "")),
        tier=values.get("tier") or None,
        region=values.get("region") or None,
        project=values.get("project") or None,
        api_key=values.get("api_key") or None,
        quantity=quantity,
        quantity_unit=values.get("quantity_unit") or None,
        row=number,
    )


def _parse_category(text: str) -> str:
    category = text.lower() or "usage"
    if category not in CHARGE_CATEGORIES:
        raise ValueError(f"Unknown charge_category {text!r}; known: {', '.join(CHARGE_CATEGORIES)}")
    return category


def _parse_quantity(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        return landed(parse_amount(text))
    except ValueError as error:
        raise ValueError(f"Quantity {text!r} is not a number; write it like 1200.5") from error


def _invoice(rows: list[_Row], findings: Findings) -> Invoice:
    first = rows[0]
    for row in rows[1:]:
        _check_same_invoice(first, row, findings)
    _check_repeats(rows, findings)
    head = Invoice(
        invoice_id=first.invoice_id,
        source=SOURCE.name,
        authority=Authority.INVOICE_FILE,
        provider=first.provider,
        account=first.account,
        period=first.period,
        currency=first.line.currency,
        minor_units=minor_units(first.line.currency) or 0,
        lines=(),
    )
    invoice = make_invoice(head, (row.line for row in rows))
    total = sum((line.amount for line in invoice.lines), Decimal(0))
    if total < 0:
        findings.add(
            first.line.row,
            f"Invoice {invoice.invoice_id!r} has the negative total {total.normalize():f}; "
            "an invoice charges, so put a credit on the invoice that it reduces",
        )
    return invoice


def _check_same_invoice(first: _Row, row: _Row, findings: Findings) -> None:
    before = (first.provider, first.account, first.period, first.line.currency)
    here = (row.provider, row.account, row.period, row.line.currency)
    for name, old, new in zip(_SHARED, before, here, strict=True):
        if old != new:
            findings.add(
                row.line.row,
                f"Invoice {row.invoice_id!r} has {name} {new!r} here and {old!r} in line "
                f"{first.line.row}; give each {name} an invoice_id of its own",
            )


def _check_repeats(rows: list[_Row], findings: Findings) -> None:
    seen: dict[tuple[str, ...], InvoiceLine] = {}
    for line in (row.line for row in rows):
        key = (line.line_id,) if line.line_id else line.dimensions()
        before = seen.setdefault(key, line)
        if before is line:
            continue
        what = f"Line {line.line_id!r}" if line.line_id else f"Invoice {rows[0].invoice_id!r}"
        if before.amount == line.amount:
            told = f"repeats line {before.row}; remove one, or give each a line_id of its own"
        else:
            told = (
                f"has amount {line.amount_text} here and {before.amount_text} in line "
                f"{before.row}; keep the right one, or give each a line_id of its own"
            )
        findings.add(line.row, f"{what} {told}")
