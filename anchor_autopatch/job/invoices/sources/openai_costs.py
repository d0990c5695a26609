"""OpenAI Costs: what the organization is charged per day, line item, project and key.

GET /v1/organization/costs (openai-openapi, 2026-08-21; read 2026-11): daily buckets in
Unix seconds UTC, `amount.value` a JSON number in units of a lower-case currency, null where a
dimension was not asked for.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from anchor_autopatch.job.invoices.formats.days import DailyReport, read_daily_report
from anchor_autopatch.job.invoices.formats.pages import (
    Bucket,
    Json,
    Number,
    raw_buckets,
    text_of,
    unix_seconds,
)
from anchor_autopatch.job.invoices.landing import InvoiceLine, landed
from anchor_autopatch.job.invoices.meters import model_and_meter
from anchor_autopatch.job.invoices.reading import Source
from anchor_autopatch.job.invoices.values import parse_amount, parse_currency

if TYPE_CHECKING:
    from anchor_autopatch.job.invoices.formats.payloads import Payload

__all__ = ("SOURCE",)

_NAME = "openai-costs"


def _recognises(payload: Payload) -> bool:
    return any("start_time" in bucket for bucket in raw_buckets(payload.json))


def _line(bucket: Bucket, result: Json) -> InvoiceLine:
    if "amount" not in result:
        raise ValueError("A result has no amount; export costs, not usage")
    money = result.get("amount")
    value = money.get("value") if isinstance(money, dict) else None
    if not isinstance(money, dict) or not isinstance(value, Number):
        raise ValueError(f"Amount {value!r} is no JSON number; save the response as it is")  # noqa: TRY004
    item = text_of(result.get("line_item"))
    model, meter, tier = model_and_meter(item) if item else (None, None, None)
    quantity, unit = _quantity(result)
    amount = landed(parse_amount(value))
    return InvoiceLine(
        amount=amount,
        amount_text=str(value),
        currency=parse_currency(text_of(money.get("currency")) or ""),
        period_start=bucket.start,
        period_end=bucket.end,
        charge_category="credit" if amount < 0 else "usage",
        description=item,
        model_raw=model,
        meter=meter,
        tier=tier,
        project=text_of(result.get("project_id")),
        api_key=text_of(result.get("api_key_id")),
        quantity=quantity,
        quantity_unit=unit,
        is_final=False,
    )


def _quantity(result: Json) -> tuple[Decimal | None, str | None]:
    value, unit = result.get("quantity"), text_of(result.get("quantity_unit"))
    if not isinstance(value, Number):
        return None, unit
    quantity = parse_amount(value)
    if unit == "1000_tokens":
        return landed(quantity * 1000), "tokens"
    return landed(quantity), unit


_REPORT = DailyReport(_NAME, "openai", ("start_time", "end_time"), unix_seconds, _line, "line_item")
SOURCE = Source(_NAME, _recognises, partial(read_daily_report, _REPORT))
