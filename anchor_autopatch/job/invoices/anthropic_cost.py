"""Anthropic cost report: what the organization is charged per day, workspace and description.

GET /v1/organizations/cost_report (documentation, read 2026-11): daily buckets in RFC 3339 UTC,
`amount` a decimal text in CENTS, fractions of a cent included. Priority tier is not in it.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from anchor_autopatch.job.invoices.landing import InvoiceLine, landed
from anchor_autopatch.job.invoices.meters import meter_of
from anchor_autopatch.job.invoices.pages import (
    Bucket,
    Json,
    Number,
    invoices_of_days,
    read_buckets,
    text_of,
)
from anchor_autopatch.job.invoices.values import naive_utc, parse_amount, parse_currency

if TYPE_CHECKING:
    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.landing import Invoice
    from anchor_autopatch.job.invoices.values import Context

__all__ = ("SOURCE", "read_invoices")

SOURCE = "anthropic-cost"
_CENT = Decimal("0.01")


def read_invoices(payload: object, context: Context, findings: Findings) -> list[Invoice]:
    """An invoice for each month of the payload; of no use when anything is in `findings`."""
    buckets = read_buckets(
        payload, names=("starting_at", "ending_at"), parse_instant=_rfc3339, findings=findings
    )
    days = [(bucket, _lines(bucket, findings)) for bucket in buckets]
    return invoices_of_days(SOURCE, context.provider or "anthropic", days, context, findings)


def _rfc3339(value: object) -> datetime:
    text = value if isinstance(value, str) else ""
    try:
        # Beyond the first and the last year no other zone fits.
        instant = datetime.fromisoformat(text)
        utc = naive_utc(instant)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"Bucket time {value!r} is not in RFC 3339; save the response as it is"
        ) from error
    if instant.tzinfo is None:
        raise ValueError(f"Bucket time {text!r} has no time zone; save the response as it is")
    return utc


def _lines(bucket: Bucket, findings: Findings) -> list[InvoiceLine]:
    lines = []
    for result in bucket.results:
        try:
            lines.append(_line(bucket, result))
        except ValueError as error:
            findings.add(None, f"{error} (day {bucket.day}, {result.get('description')!r})")
    return lines


def _line(bucket: Bucket, result: Json) -> InvoiceLine:
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
