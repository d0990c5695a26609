"""What is asked of each provider for a span of days: paths and parameters, no HTTP.

Costs are asked for twice, grouped and ungrouped, so that money which a grouping leaves out is seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

__all__ = ("Ask", "asks_of")

_DAY = timedelta(days=1)

Param = tuple[str, str]


class Ask(NamedTuple):
    """One report, of one page or of many."""

    source: str
    """Format in which its answer is imported."""
    name: str
    """Of the document that is kept; asks that share it are answered in one document."""
    path: str
    params: tuple[Param, ...] = ()
    body: str | None = None
    """JSON that is posted; None = a GET."""
    paged: bool = True
    """Whether has_more and next_page lead on to further pages."""
    operation: str | None = None
    """What a usage report counts."""
    has_days: bool = True
    """Whether the answers of its name must cover all days that are asked for."""


def asks_of(provider: str, team: str, span: tuple[datetime, datetime]) -> list[Ask]:
    """All that is asked of a provider for half-open UTC days.

    Args:
        provider: One of those that can be pulled.
        team: xAI's team id; others have none.
        span: First day, and the day after the last.
    """
    return _ASKS[provider](team, span)


def _openai(_team: str, span: tuple[datetime, datetime]) -> list[Ask]:
    # openai-openapi, 2026-08-21: limit at most 180 buckets of costs, 31 of daily usage.
    bounds = (
        ("start_time", str(_unix(span[0]))),
        ("end_time", str(_unix(span[1]))),
        ("bucket_width", "1d"),
    )
    groups = tuple(("group_by[]", name) for name in ("project_id", "line_item", "api_key_id"))
    costs, usage = "/organization/costs", "/organization/usage/"
    asks = [
        Ask("openai-costs", "costs", costs, (*bounds, *groups, ("limit", "180"))),
        Ask("openai-costs", "costs-total", costs, (*bounds, ("limit", "180"))),
    ]
    for operation, dimensions in _OPENAI_USAGE.items():
        by = tuple(("group_by[]", name) for name in dimensions)
        asks.append(
            Ask(
                "openai-usage",
                f"usage-{operation}",
                usage + operation,
                (*bounds, *by, ("limit", "31")),
                operation=operation,
            )
        )
    return asks


_BY_MODEL = ("project_id", "api_key_id", "model")
_OPENAI_USAGE = {
    "completions": (*_BY_MODEL, "batch", "service_tier"),
    "embeddings": _BY_MODEL,
    "moderations": _BY_MODEL,
    "images": _BY_MODEL,
    "audio_speeches": _BY_MODEL,
    "audio_transcriptions": _BY_MODEL,
}


def _anthropic(_team: str, span: tuple[datetime, datetime]) -> list[Ask]:
    bounds = (
        ("starting_at", f"{span[0]:%Y-%m-%dT%H:%M:%SZ}"),
        ("ending_at", f"{span[1]:%Y-%m-%dT%H:%M:%SZ}"),
        ("bucket_width", "1d"),
        ("limit", "31"),
    )
    cost, usage = "/organizations/cost_report", "/organizations/usage_report/messages"
    costs_by = tuple(("group_by[]", name) for name in ("workspace_id", "description"))
    usage_by = tuple(
        ("group_by[]", name) for name in ("api_key_id", "workspace_id", "model", "service_tier")
    )
    return [
        Ask("anthropic-cost", "costs", cost, (*bounds, *costs_by)),
        Ask("anthropic-cost", "costs-total", cost, bounds),
        Ask("anthropic-usage", "usage-messages", usage, (*bounds, *usage_by)),
    ]


def _xai(team: str, span: tuple[datetime, datetime]) -> list[Ask]:
    last = span[1] - timedelta(seconds=1)
    body = {
        "analyticsRequest": {
            "timeRange": {
                "startTime": f"{span[0]:%Y-%m-%d %H:%M:%S}",
                "endTime": f"{last:%Y-%m-%d %H:%M:%S}",
                # xAI counts days in the zone that is asked for; receipts are in UTC.
                "timezone": "Etc/GMT",
            },
            "timeUnit": "TIME_UNIT_DAY",
            "values": [{"name": "usd", "aggregation": "AGGREGATION_SUM"}],
            "groupBy": ["api_key_id", "description", "unit_type"],
            "filters": [],
        }
    }
    base = f"/v1/billing/teams/{team}"
    return [
        Ask(
            "xai-invoice",
            "invoice",
            f"{base}/postpaid/invoice/preview",
            paged=False,
            has_days=False,
        ),
        Ask(
            "xai-usage",
            "usage",
            f"{base}/usage",
            body=json.dumps(body),
            paged=False,
        ),
    ]


def _openrouter(_team: str, span: tuple[datetime, datetime]) -> list[Ask]:
    # Each day by itself: a day without calls and a day that is left out look alike otherwise.
    days = [span[0] + number * _DAY for number in range((span[1] - span[0]) // _DAY)]
    return [
        Ask(
            "openrouter",
            "activity",
            "/activity",
            (("date", f"{day:%Y-%m-%d}"),),
            paged=False,
        )
        for day in days
    ]


_ASKS: dict[str, Callable[[str, tuple[datetime, datetime]], list[Ask]]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "xai": _xai,
    "openrouter": _openrouter,
}


def _unix(instant: datetime) -> int:
    return int(instant.replace(tzinfo=UTC).timestamp())
