"""OpenAI Costs: what the organization is charged per day, line item, project and key.

GET /v1/organization/costs (openai-openapi, 2026-08-21; read 2026-11): daily buckets in
Unix seconds UTC, `amount.value` a JSON number in units of a lower-case currency, null where a
dimension was not asked for.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from anchor_autopatch.job.invoices.landing import InvoiceLine, landed
from anchor_autopatch.job.invoices.meters import model_and_meter
from anchor_autopatch.job.invoices.pages import (
    Bucket,
    Json,
    Number,
    invoices_of_days,
    read_buckets,
    text_of,
)
from anchor_autopatch.job.invoices.values import parse_amount, parse_currency

if TYPE_CHECKING:
    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.landing import Invoice
    from anchor_autopatch.job.invoices.values import Context

__all__ = ("SOURCE", "read_invoices")

SOURCE = "openai-costs"


def read_invoices(payload: object, context: Context, findings: Findings) -> list[Invoice]:
    """An invoice for each month of the payload; of no use when anything is in `findings`."""
    buckets = read_buckets(
        payload, names=("start_time", "end_time"), parse_instant=_unix_seconds, findings=findings
    )
    days = [(bucket, _lines(bucket, findings)) for bucket in buckets]
    return invoices_of_days(SOURCE, context.provider or "openai", days, context, findings)


def _unix_seconds(value: object) -> datetime:
    if not isinstance(value, Number) or not value.isdigit():
        raise ValueError(
            f"Bucket time {value!r} is not in Unix seconds; save the response as it is"
        )
    try:
        return datetime.fromtimestamp(int(value), UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"Bucket time {value!r} is beyond all years; check it") from error


def _lines(bucket: Bucket, findings: Findings) -> list[InvoiceLine]:
    lines = []
    for result in bucket.results:
        try:
            lines.append(_line(bucket, result))
        except ValueError as error:
            findings.add(None, f"{error} (day {bucket.day}, {result.get('line_item')!r})")
    return lines


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
