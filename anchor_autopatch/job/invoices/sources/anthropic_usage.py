"""Anthropic usage report for messages: what the organization used. Evidence, never money.

GET /v1/organizations/usage_report/messages (documentation, read 2026-11): buckets of a minute, an
hour or a day in RFC 3339 UTC. uncached_input_tokens EXCLUDES the cache; an api_key_id of null is
the Console, a workspace_id of null the default workspace. Code execution is not in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.job.invoices.formats.pages import (
    Bucket,
    raw_results,
    read_buckets,
    rfc3339,
    text_of,
)
from anchor_autopatch.job.invoices.formats.usage_pages import count, rows_of, usage_reports
from anchor_autopatch.job.invoices.reading import Landed, Source, UsageReport, UsageRow

if TYPE_CHECKING:
    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.formats.payloads import Payload
    from anchor_autopatch.job.invoices.values import Context

__all__ = ("SOURCE",)

_NAME = "anthropic-usage"
_METERS = {
    "input": ("uncached_input_tokens",),
    "cache_read": ("cache_read_input_tokens",),
    "cache_write_5m": ("cache_creation", "ephemeral_5m_input_tokens"),
    "cache_write_1h": ("cache_creation", "ephemeral_1h_input_tokens"),
    "output": ("output_tokens",),
    "web_search": ("server_tool_use", "web_search_requests"),
}


def _recognises(payload: Payload) -> bool:
    return any("uncached_input_tokens" in result for result in raw_results(payload.json))


def _read(payload: Payload, context: Context, findings: Findings) -> Landed:
    buckets = read_buckets(
        payload.json,
        names=("starting_at", "ending_at"),
        parse_instant=rfc3339,
        context=context,
        findings=findings,
    )
    days = [(bucket, _rows(bucket, findings)) for bucket in buckets]
    provider = context.provider or "anthropic"
    head = UsageReport(_NAME, "messages", provider, context.account, "", (), ())
    return Landed(usage=tuple(usage_reports(head, days, context, findings)))


SOURCE = Source(_NAME, _recognises, _read)


def _rows(bucket: Bucket, findings: Findings) -> list[UsageRow]:
    rows: list[UsageRow] = []
    for result in bucket.results:
        try:
            if "uncached_input_tokens" not in result:
                raise ValueError("A result has no uncached_input_tokens; save it as it is")  # noqa: TRY301
            meters = {meter: count(result, *path) for meter, path in _METERS.items()}
        except ValueError as error:
            findings.add(None, f"{error} (day {bucket.day}, {result.get('model')!r})")
            continue
        rows += rows_of(
            bucket,
            text_of(result.get("model")) or "",
            meters,
            project=text_of(result.get("workspace_id")),
            api_key=text_of(result.get("api_key_id")),
            tier=text_of(result.get("service_tier")),
        )
    return rows
