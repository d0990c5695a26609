"""Google Cloud Billing export: rows of gcp_billing_export_v1_* as BigQuery extracts them.

Newline-delimited JSON of the standard or detailed export (documentation, read 2026-11). `cost` is a
float in the billing currency BEFORE `credits`, which are nested and negative; usage times are UTC,
but `invoice.month` is a month of Pacific time and decides the invoice, late rows included. Tax and
rounding are rows of the service "Invoice", over everything that the account uses.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from anchor_autopatch.job.allocation.shares import allocate
from anchor_autopatch.job.invoices.formats.exports import Charge, LeftOut, instant_of, snapshots
from anchor_autopatch.job.invoices.formats.pages import Json, text_of
from anchor_autopatch.job.invoices.formats.services import google_sku, provider_of_service
from anchor_autopatch.job.invoices.landing import NANO, InvoiceLine, landed
from anchor_autopatch.job.invoices.reading import Landed, Source
from anchor_autopatch.job.invoices.values import (
    naive_utc,
    next_month,
    parse_amount,
    parse_currency,
)

if TYPE_CHECKING:
    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.formats.payloads import Payload
    from anchor_autopatch.job.invoices.values import Context

__all__ = ("SOURCE",)

_NAME = "gcp-billing"
_PACIFIC = "America/Los_Angeles"
_CATEGORIES = {
    "regular": "usage",
    "tax": "tax",
    "adjustment": "adjustment",
    "rounding_error": "rounding",
}
_MONTH = re.compile(r"[0-9]{4}(0[1-9]|1[0-2])")
_WHOLE_INVOICE = "Invoice"
"""Service of the rows that are about an invoice as a whole."""
_OTHER = ""
"""Provider of the rows that are left out, beside which the whole invoice is shared."""


class _Row(NamedTuple):
    account: str
    period: str
    service: str
    lines: tuple[InvoiceLine, ...]
    """What the row charges, then each of its credits."""


def _recognises(payload: Payload) -> bool:
    rows = _objects(payload)
    return bool(rows) and all("billing_account_id" in row and "cost" in row for row in rows)


def _objects(payload: Payload) -> list[Json]:
    values = payload.json if isinstance(payload.json, list) else [payload.json]
    return [value for value in values if isinstance(value, dict)]


def _read(payload: Payload, context: Context, findings: Findings) -> Landed:
    rows = []
    seen: dict[str, int] = {}
    for number, value in enumerate(_objects(payload), 1):
        # The export has each row once; two extracts in one file would count it twice.
        first = seen.setdefault(json.dumps(value, sort_keys=True), number)
        if first != number:
            findings.add(number, f"The row repeats row {first}; extract the month once")
        try:
            rows.append(_row(value, number))
        except ValueError as error:
            findings.add(number, str(error))
    left_out = LeftOut()
    charges = _charges(rows, context, left_out)
    if not charges and not findings:
        findings.add(None, "No row is of an AI service; extract those of Gemini API or Vertex AI")
    return Landed(snapshots(_NAME, charges, context, findings), notes=left_out.notes())


SOURCE = Source(_NAME, _recognises, _read)


def _row(row: Json, number: int) -> _Row:
    invoice = row.get("invoice")
    month = text_of(invoice.get("month")) if isinstance(invoice, dict) else None
    if month is None or not _MONTH.fullmatch(month):
        raise ValueError(f"invoice.month is {month!r}; extract it, such as '202610'")
    period = f"{month[:4]}-{month[4:]}"
    kind = text_of(row.get("cost_type")) or "regular"
    if kind not in _CATEGORIES:
        raise ValueError(f"Unknown cost_type {kind!r}; known: {', '.join(_CATEGORIES)}")
    line = _line(row, period, _CATEGORIES[kind], number)
    credits_ = row.get("credits") or []
    if not isinstance(credits_, list):
        raise ValueError(f"credits is {credits_!r}; extract it nested, as it is")  # noqa: TRY004
    lines = (line, *(_credit(line, credit) for credit in credits_ if isinstance(credit, dict)))
    account = text_of(row.get("billing_account_id")) or ""
    return _Row(account, period, line.service or "", lines)


def _line(row: Json, period: str, category: str, number: int) -> InvoiceLine:
    start, end = _bounds(row, period)
    text = _number(row.get("cost"), "cost")
    sku = _named(row.get("sku"), "description")
    known = google_sku(sku or "")
    used = row.get("usage")
    quantity = used.get("amount") if isinstance(used, dict) else None
    listed = row.get("cost_at_list")
    return InvoiceLine(
        amount=landed(parse_amount(text)),
        amount_text=text,
        currency=parse_currency(text_of(row.get("currency")) or ""),
        period_start=start,
        period_end=end,
        charge_category=category,
        description=sku,
        service=_named(row.get("service"), "description"),
        model_raw=known.model,
        meter=known.meter,
        tier=known.tier,
        region=_named(row.get("location"), "location"),
        project=_named(row.get("project"), "id"),
        tags=_labels(row.get("labels")),
        # usage.amount counts single tokens; amount_in_pricing_units is in millions.
        quantity=landed(parse_amount(str(quantity))) if isinstance(quantity, str) else None,
        quantity_unit=_named(used, "unit"),
        list_amount=landed(parse_amount(str(listed))) if isinstance(listed, str) else None,
        is_final=False,
        row=number,
    )


def _credit(line: InvoiceLine, credit: Json) -> InvoiceLine:
    text = _number(credit.get("amount"), "credits.amount")
    return replace(
        line,
        amount=landed(parse_amount(text)),
        amount_text=text,
        charge_category="credit",
        description=text_of(credit.get("full_name")) or text_of(credit.get("name")),
        quantity=None,
        quantity_unit=None,
        list_amount=None,
    )


def _number(value: object, name: str) -> str:
    # A JSON number, or the text of a NUMERIC column.
    if not isinstance(value, str):
        raise ValueError(f"{name} is {value!r}, no number; extract the export as it is")  # noqa: TRY004
    return str(value)


def _named(value: object, key: str) -> str | None:
    return text_of(value.get(key)) if isinstance(value, dict) else None


def _labels(value: object) -> str | None:
    labels = value if isinstance(value, list) else []
    tags = {_named(label, "key"): _named(label, "value") for label in labels}
    named = {key: tags[key] for key in sorted(filter(None, tags))}
    return json.dumps(named) if named else None


def _bounds(row: Json, period: str) -> tuple[datetime, datetime]:
    start, end = text_of(row.get("usage_start_time")), text_of(row.get("usage_end_time"))
    if start and end:
        return _utc(start), _utc(end)
    # A row about the whole invoice may have no times: then it is of its Pacific month.
    first = datetime.strptime(period, "%Y-%m")  # noqa: DTZ007 # the zone comes next
    return _pacific(first), _pacific(next_month(first))


def _utc(text: str) -> datetime:
    # BigQuery writes 2026-10-12 07:00:00 UTC.
    return instant_of(text.removesuffix(" UTC"))


def _pacific(local: datetime) -> datetime:
    try:
        return naive_utc(local.replace(tzinfo=ZoneInfo(_PACIFIC)))
    except ZoneInfoNotFoundError as error:
        raise ValueError(f"This machine has no time zone {_PACIFIC}; pip install tzdata") from error


def _charges(rows: list[_Row], context: Context, left_out: LeftOut) -> list[Charge]:
    charges: list[Charge] = []
    whole: list[_Row] = []
    nets: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in rows:
        if row.service in {_WHOLE_INVOICE, ""}:
            whole.append(row)
            continue
        provider = provider_of_service(row.service)
        named = (context.provider or provider) if provider else _OTHER
        nets[row.account, row.period][named] += sum(line.amount for line in row.lines)
        if provider is None:
            left_out.add(row.service, _sum(row.lines), row.lines[0].currency)
            continue
        charges += [Charge(named, row.account, row.period, line) for line in row.lines]
    for row in whole:
        charges += _shared(row, nets[row.account, row.period], context, left_out)
    return charges


def _shared(
    row: _Row, nets: dict[str, Decimal], context: Context, left_out: LeftOut
) -> list[Charge]:
    """Tax and rounding by what each provider is charged; the part of other services is left out."""
    names = sorted(nets) or [context.provider or "gemini"]
    weights = [max(0, int(nets[name] / NANO)) for name in names]
    charges = []
    for line in row.lines:
        parts = allocate(int(line.amount / NANO), weights, [(name,) for name in names])
        for name, part in zip(names, parts, strict=True):
            amount = landed(part * NANO)
            if name == _OTHER:
                left_out.add(_WHOLE_INVOICE, amount, line.currency)
            elif part or len(names) == 1:
                charges.append(Charge(name, row.account, row.period, replace(line, amount=amount)))
    return charges


def _sum(lines: tuple[InvoiceLine, ...]) -> Decimal:
    return sum((line.amount for line in lines), Decimal(0))
