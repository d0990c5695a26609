"""How reports of daily costs are read: buckets to days, results to lines, days to invoices.

OpenAI and Anthropic answer alike and differ in names, units and what one result says; a source
gives those, the rest is here once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from anchor_autopatch.job.invoices.findings import Findings
from anchor_autopatch.job.invoices.formats.pages import (
    Bucket,
    Json,
    invoices_of_days,
    read_buckets,
)
from anchor_autopatch.job.invoices.formats.payloads import Payload
from anchor_autopatch.job.invoices.landing import InvoiceLine
from anchor_autopatch.job.invoices.reading import Landed
from anchor_autopatch.job.invoices.values import Context

__all__ = ("DailyReport", "read_daily_report")


class DailyReport(NamedTuple):
    """What one report of daily costs has of its own."""

    name: str
    """Of the format."""
    provider: str
    """Who invoices, unless the import says otherwise."""
    bounds: tuple[str, str]
    """Names of the start and the end of a bucket."""
    parse_instant: Callable[[object], datetime]
    read_line: Callable[[Bucket, Json], InvoiceLine]
    """Raises ValueError for a result that it cannot read."""
    told_by: str
    """Field of a result that names it in a finding."""
    check: Callable[[Bucket, Findings], None] = lambda bucket, findings: None
    """What is wrong with a bucket as a whole."""


def read_daily_report(
    report: DailyReport, payload: Payload, context: Context, findings: Findings
) -> Landed:
    """The invoices of a payload, one a month; what cannot be read is in `findings`."""
    buckets = read_buckets(
        payload.json,
        names=report.bounds,
        parse_instant=report.parse_instant,
        context=context,
        findings=findings,
    )
    for bucket in buckets:
        report.check(bucket, findings)
    days = [(bucket, _lines(report, bucket, findings)) for bucket in buckets]
    provider = context.provider or report.provider
    return Landed(tuple(invoices_of_days(report.name, provider, days, context, findings)))


def _lines(report: DailyReport, bucket: Bucket, findings: Findings) -> list[InvoiceLine]:
    lines = []
    for result in bucket.results:
        try:
            lines.append(report.read_line(bucket, result))
        except ValueError as error:
            # Collected, so that one look at the file tells all that is wrong with it.
            findings.add(None, f"{error} (day {bucket.day}, {result.get(report.told_by)!r})")
    return lines
