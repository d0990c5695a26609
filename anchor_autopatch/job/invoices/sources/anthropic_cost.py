"""Anthropic cost report: what the organization is charged per day, workspace and description.

GET /v1/organizations/cost_report (documentation, read 2026-11): daily buckets in RFC 3339 UTC,
`amount` a decimal text in CENTS, fractions of a cent included. Priority tier is not in it.
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
    rfc3339,
    text_of,
)
from anchor_autopatch.job.invoices.landing import InvoiceLine, landed
from anchor_autopatch.job.invoices.meters import meter_of
from anchor_autopatch.job.invoices.reading import Source
from anchor_autopatch.job.invoices.values import parse_amount, parse_currency

if TYPE_CHECKING:
    from anchor_autopatch.job.invoices.formats.payloads import Payload

__all__ = ("SOURCE", "read_line")

_NAME = "anthropic-cost"
_CENT = Decimal("0.01")


def _recognises(payload: Payload) -> bool:
    return any("starting_at" in bucket for bucket in raw_buckets(payload.json))


def read_line(bucket: Bucket, result: Json) -> InvoiceLine:
    """One result as a line, its amount turned from cents.

    Raises:
        ValueError: it has no amount, or one that is no text in cents.
    """
    if "amount" not in result:
        raise ValueError("A result has no amount; export the cost report, not usage")
    value = result.get("amount")
    # A JSON number would be dollars of some other report: cents come as text.
    if not isinstance(value, str) or isinstance(value, Number):
        raise ValueError(f"Amount {value!r} is not a text in cents; save the report as it is")  # noqa: TRY004
    amount = landed(parse_amount(value) * _CENT)
    what = text_of(result.get("token_type")) or text_of(result.get("cost_type"))
    return InvoiceLine(
        amount=amount,
        amount_text=value,
        currency=parse_currency(text_of(result.get("currency")) or ""),
        period_start=bucket.start,
        period_end=bucket.end,
        charge_category="credit" if amount < 0 else "usage",
        description=text_of(result.get("description")),
        service=text_of(result.get("cost_type")),
        model_raw=text_of(result.get("model")),
        meter=meter_of(what) if what else None,
        tier=text_of(result.get("service_tier")),
        region=text_of(result.get("inference_geo")),
        project=text_of(result.get("workspace_id")),
        list_amount=_list_amount(result),
        is_final=False,
    )


def _list_amount(result: Json) -> Decimal | None:
    text = text_of(result.get("list_amount"))
    return landed(parse_amount(text) * _CENT) if text else None


_REPORT = DailyReport(
    _NAME, "anthropic", ("starting_at", "ending_at"), rfc3339, read_line, "description"
)
SOURCE = Source(_NAME, _recognises, partial(read_daily_report, _REPORT))
