"""Anthropic analytics cost report: daily cost after discounts and before credits, list cost beside.

`organization.analytics.cost_report` of the SDK (anthropic 2.12.0, read 2026-11): amounts are texts
in CENTS, fractions included. A bucket holds the 100 largest groups and no row for the rest, and the
rows of rbac groups overlap: neither sums to what is charged, so both are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.job.invoices.formats.pages import (
    invoices_of_days,
    raw_results,
    read_buckets,
    rfc3339,
)
from anchor_autopatch.job.invoices.reading import Landed, Source
from anchor_autopatch.job.invoices.sources.anthropic_cost import lines_of

if TYPE_CHECKING:
    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.formats.pages import Bucket
    from anchor_autopatch.job.invoices.formats.payloads import Payload
    from anchor_autopatch.job.invoices.values import Context

__all__ = ("SOURCE",)

_NAME = "anthropic-analytics"
_MOST_GROUPS = 100


def _recognises(payload: Payload) -> bool:
    return any("rbac_group_id" in result for result in raw_results(payload.json))


def _read(payload: Payload, context: Context, findings: Findings) -> Landed:
    buckets = read_buckets(
        payload.json,
        names=("starting_at", "ending_at"),
        parse_instant=rfc3339,
        context=context,
        findings=findings,
    )
    for bucket in buckets:
        _check_groups(bucket, findings)
    days = [(bucket, lines_of(bucket, findings)) for bucket in buckets]
    provider = context.provider or "anthropic"
    return Landed(tuple(invoices_of_days(_NAME, provider, days, context, findings)))


SOURCE = Source(_NAME, _recognises, _read)


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
