"""Anthropic analytics cost report: daily cost after discounts and before credits, list cost beside.

`organization.analytics.cost_report` of the SDK (anthropic 2.12.0, read 2026-11): amounts are texts
in CENTS, fractions included. A bucket holds the 100 largest groups and no row for the rest, and the
rows of rbac groups overlap: neither sums to what is charged, so both are refused.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from anchor_autopatch.job.invoices.formats.days import DailyReport, read_daily_report
from anchor_autopatch.job.invoices.formats.pages import raw_results, rfc3339
from anchor_autopatch.job.invoices.reading import Source
from anchor_autopatch.job.invoices.sources.anthropic_cost import read_line

if TYPE_CHECKING:
    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.formats.pages import Bucket
    from anchor_autopatch.job.invoices.formats.payloads import Payload

__all__ = ("SOURCE",)

_NAME = "anthropic-analytics"
_MOST_GROUPS = 100


def _recognises(payload: Payload) -> bool:
    return any("rbac_group_id" in result for result in raw_results(payload.json))


def _check_groups(bucket: Bucket, findings: Findings) -> None:
    if any(result.get("rbac_group_id") is not None for result in bucket.results):
        findings.add(
            None,
            f"Day {bucket.day} is grouped by rbac_group, whose rows overlap; group without it",
        )
    if len(bucket.results) >= _MOST_GROUPS:
        findings.add(
            None,
            f"Day {bucket.day} has {len(bucket.results)} groups, of which the report holds the "
            f"{_MOST_GROUPS} largest only; group by fewer dimensions",
        )


_REPORT = DailyReport(
    _NAME,
    "anthropic",
    ("starting_at", "ending_at"),
    rfc3339,
    read_line,
    "description",
    _check_groups,
)
SOURCE = Source(_NAME, _recognises, partial(read_daily_report, _REPORT))
