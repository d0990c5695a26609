"""Usage reports in pages of buckets: by month, each count under the meter of an invoice line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.job.invoices.formats.pages import Bucket, Json, Number, by_month
from anchor_autopatch.job.invoices.reading import UsageReport, UsageRow
from anchor_autopatch.job.invoices.values import parse_amount, parse_provider

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.values import Context

__all__ = ("count", "rows_of", "usage_reports")


def count(result: Json, *path: str) -> Decimal | None:
    """The number at a path of keys; None where the report has none.

    Raises:
        ValueError: something else than a count stands there.
    """
    value: object = result
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if value is None:
        return None
    if not isinstance(value, Number):
        raise ValueError(f"{'.'.join(path)} is {value!r}, no number; save the report as it is")  # noqa: TRY004
    found = parse_amount(value)
    if found < 0:
        raise ValueError(f"{'.'.join(path)} is {value}, below 0; fetch the report again")
    return found


def rows_of(
    bucket: Bucket, model: str, meters: dict[str, Decimal | None], **dimensions: str | None
) -> list[UsageRow]:
    """A row for each meter that counted something."""
    return [
        UsageRow(bucket.start, bucket.end, model, meter, quantity, **dimensions)
        for meter, quantity in meters.items()
        if quantity
    ]


def usage_reports(
    head: UsageReport,
    buckets: Iterable[tuple[Bucket, list[UsageRow]]],
    context: Context,
    findings: Findings,
) -> list[UsageReport]:
    """One report for each month that the buckets touch; `head` gives what they share."""
    provider = findings.read(None, lambda text: parse_provider(text, context), head.provider)
    months = by_month(buckets, context, findings)
    if provider is None:
        return []
    return [
        head._replace(
            provider=provider,
            period=period,
            days=tuple((bucket.start, bucket.end) for bucket, _ in found),
            rows=tuple(row for _, rows in found for row in rows),
        )
        for period, found in months
    ]
