"""xAI invoice preview of the Management API: what a team owes for its billing cycle.

GET /v1/billing/teams/{id}/postpaid/invoice/preview (documentation and wrappers, read 2026-11).
Amounts are whole US CENTS as text. Prepaid credits pay for the same consumption: the anchor is what
was consumed, the top-up is cash of another month, so credits used are told in a note, never landed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from anchor_autopatch.job.invoices.formats.exports import Charge, snapshots
from anchor_autopatch.job.invoices.formats.pages import Json, Number, text_of
from anchor_autopatch.job.invoices.landing import Authority, InvoiceLine, landed
from anchor_autopatch.job.invoices.meters import meter_of
from anchor_autopatch.job.invoices.reading import Landed, Source
from anchor_autopatch.job.invoices.values import next_month, parse_amount

if TYPE_CHECKING:
    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.formats.payloads import Payload
    from anchor_autopatch.job.invoices.values import Context

__all__ = ("SOURCE",)

_NAME = "xai-invoice"
_CENT = Decimal("0.01")
_WHOLE = re.compile(r"-?[0-9]+")


def _recognises(payload: Payload) -> bool:
    return isinstance(payload.json, dict) and "coreInvoice" in payload.json


def _read(payload: Payload, context: Context, findings: Findings) -> Landed:
    preview = payload.json if isinstance(payload.json, dict) else {}
    core = preview.get("coreInvoice")
    raw_lines = core.get("lines") if isinstance(core, dict) else None
    if not isinstance(core, dict) or not isinstance(raw_lines, list):
        findings.add(None, "There is no coreInvoice.lines; save the invoice preview as it is")
        return Landed()
    try:
        start = _cycle(preview)
        lines = [_line(line, start, at) for at, line in enumerate(raw_lines, 1)]
        correction = _correction(core, lines, start)
        paid = _cents(_value(core, "prepaidCreditsUsed") or "0", "prepaidCreditsUsed")
    except ValueError as error:
        findings.add(None, str(error))
        return Landed()
    provider = context.provider or "xai"
    charges = [
        Charge(provider, context.account, f"{start:%Y-%m}", line, Authority.INVOICE_FILE)
        for line in (*lines, *correction)
    ]
    notes = (f"of this {abs(paid)} USD were paid by prepaid credits",) if paid else ()
    return Landed(snapshots(_NAME, charges, context, findings), notes=notes)


SOURCE = Source(_NAME, _recognises, _read)


def _cycle(preview: Json) -> datetime:
    cycle = preview.get("billingCycle")
    parts = [cycle.get(name) for name in ("year", "month")] if isinstance(cycle, dict) else []
    try:
        year, month = (int(str(part)) for part in parts)
        return datetime(year, month, 1, tzinfo=UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"billingCycle is {cycle!r}; expected a year and a month") from error


def _line(line: object, start: datetime, at: int) -> InvoiceLine:
    if not isinstance(line, dict):
        raise ValueError(f"Line {at} is {line!r}, no object; save the preview as it is")  # noqa: TRY004
    amount = _cents(line.get("amount"), f"amount of line {at}")
    unit = text_of(line.get("unitType")) or ""
    units = text_of(line.get("numUnits"))
    return InvoiceLine(
        amount=landed(amount),
        amount_text=str(line.get("amount")),
        currency="USD",
        period_start=start,
        period_end=next_month(start),
        description=" ".join(filter(None, (text_of(line.get("description")), unit))) or None,
        model_raw=text_of(line.get("description")),
        meter=meter_of(unit),
        quantity=landed(parse_amount(units)) if units else None,
        quantity_unit="tokens" if "token" in unit.lower() else unit.lower() or None,
        is_final=False,
        row=None,
    )


def _correction(core: Json, lines: list[InvoiceLine], start: datetime) -> tuple[InvoiceLine, ...]:
    """What the total with corrections says beyond the lines: a line of its own, never hidden."""
    text = _value(core, "totalWithCorr")
    if text is None:
        raise ValueError("There is no coreInvoice.totalWithCorr.val; save the preview as it is")
    amount = _cents(text, "totalWithCorr") - sum(line.amount for line in lines)
    if not amount:
        return ()
    line = InvoiceLine(
        amount=landed(amount),
        amount_text=str(text),
        currency="USD",
        period_start=start,
        period_end=next_month(start),
        charge_category="adjustment",
        description="correction: totalWithCorr less its lines",
        is_final=False,
    )
    return (line,)


def _value(core: Json, name: str) -> object:
    held = core.get(name)
    return held.get("val") if isinstance(held, dict) else None


def _cents(text: object, name: str) -> Decimal:
    # A JSON number, or a text with a point, would be dollars of some other report.
    if not isinstance(text, str) or isinstance(text, Number) or not _WHOLE.fullmatch(text):
        raise ValueError(f"{name} is {text!r}, no text of whole cents; save the preview as it is")
    return parse_amount(text) * _CENT
