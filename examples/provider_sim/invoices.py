"""The ledger as an invoice: OpenAI Costs payload, Anthropic cost report, generic CSV.

Payload shapes: OpenAI API specification, organization costs (2026-08-21), and the documentation of
Anthropic's cost_report, both read 2026-11.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from examples.provider_sim.invoice_lines import CENT, InvoiceError, Line, invoice_lines
from examples.provider_sim.ledger import Charge, plain
from examples.provider_sim.values import Json

CSV_COLUMNS = [
    "invoice_id",
    "provider",
    "period",
    "line_id",
    "description",
    "model",
    "meter",
    "quantity",
    "quantity_unit",
    "amount",
    "currency",
    "charge_category",
    "project",
    "api_key",
]
_OPENAI_GROUPS = frozenset({"line_item", "project_id", "api_key_id"})
_ANTHROPIC_TOKENS = {
    "uncached_input_tokens": "Input Tokens",
    "cache_creation.ephemeral_5m_input_tokens": "Input Tokens, Cache Write 5m",
    "cache_creation.ephemeral_1h_input_tokens": "Input Tokens, Cache Write 1h",
    "cache_read_input_tokens": "Input Tokens, Cache Hit",
    "output_tokens": "Output Tokens",
}
_DAY = timedelta(days=1)

Rendered = tuple[str, str]


def render(kind: str, charges: Iterable[Charge], query: Mapping[str, str]) -> Rendered:
    """Return body and media type of an invoice.

    Raises:
        InvoiceError: for an unknown kind, a bad parameter, or a total that nothing can carry.
    """
    maker = _KINDS.get(kind)
    if maker is None:
        raise InvoiceError(f"Unknown invoice kind {kind!r}; known: {', '.join(_KINDS)}")
    return maker(list(charges), query)


def openai_costs(charges: list[Charge], query: Mapping[str, str]) -> Rendered:
    """Return the Costs payload: daily buckets, amounts as JSON numbers.

    Dimensions are null unless grouped by; without `group_by` all three are given.
    """
    asked = query.get("group_by")
    grouped = _OPENAI_GROUPS if asked is None else frozenset(asked.split(","))
    per_day = _by_day(invoice_lines(charges, query.get("provider", "openai"), query))
    days, following = _page(_days(per_day, query), query)
    buckets = [
        {
            "object": "bucket",
            "start_time": _seconds(day),
            "end_time": _seconds(day + _DAY),
            "results": _cost_results(per_day.get(day, []), grouped),
        }
        for day in days
    ]
    page = {"object": "page", "has_more": following is not None, "next_page": following}
    return json.dumps({**page, "data": buckets}), "application/json"


def _cost_results(lines: list[Line], grouped: frozenset[str]) -> list[Json]:
    groups: dict[tuple[str | None, ...], list[Line]] = {}
    for line in lines:
        key = (
            _line_item(line) if "line_item" in grouped else None,
            line.project if "project_id" in grouped else None,
            line.api_key if "api_key_id" in grouped else None,
        )
        groups.setdefault(key, []).append(line)
    return [
        {
            "object": "organization.costs.result",
            # A float on purpose: that is how the API sends money.
            "amount": {"value": float(_sum(group)), "currency": "usd"},
            "line_item": item,
            "project_id": project,
            "api_key_id": api_key,
            "quantity": sum(line.quantity for line in group) if item else None,
            "quantity_unit": group[0].unit if item else None,
        }
        for (item, project, api_key), group in groups.items()
    ]


def _line_item(line: Line) -> str:
    tier = f", {line.tier}" if line.tier in ("flex", "priority", "batch") else ""
    return f"{line.model}, {line.meter.replace('_', ' ')}{tier}"


def anthropic_cost_report(charges: list[Charge], query: Mapping[str, str]) -> Rendered:
    """Return the cost report: daily buckets, amounts as decimal text in cents."""
    dimensions = ("day", "model", "meter", "tier")
    lines = invoice_lines(charges, query.get("provider", "anthropic"), query, dimensions)
    per_day = _by_day(lines)
    days, following = _page(_days(per_day, query), query)
    data = [
        {
            "starting_at": f"{day}T00:00:00Z",
            "ending_at": f"{day + _DAY}T00:00:00Z",
            "results": [_report_result(line) for line in per_day.get(day, [])],
        }
        for day in days
    ]
    page = {"data": data, "has_more": following is not None, "next_page": following}
    return json.dumps(page), "application/json"


def _report_result(line: Line) -> Json:
    tokens = _ANTHROPIC_TOKENS.get(line.meter)
    name = line.model.replace("-", " ").title()
    return {
        "amount": plain(line.amount * 100),
        "currency": "USD",
        "cost_type": "tokens" if tokens else "web_search",
        "description": f"{name} Usage - {tokens}" if tokens else "Web Search Usage",
        "model": line.model if tokens else None,
        "token_type": line.meter if tokens else None,
        "context_window": "0-200k" if tokens else None,
        "service_tier": line.tier if tokens else None,
        "inference_geo": "global" if tokens else None,
        "workspace_id": None,
    }


def generic_csv(charges: list[Charge], query: Mapping[str, str]) -> Rendered:
    """Return a CSV invoice, one line per model, meter, tier, project and key."""
    provider = query.get("provider")
    if not provider:
        raise InvoiceError("A CSV invoice needs provider=, for example provider=gemini")
    dimensions = ("model", "meter", "tier", "project", "api_key")
    lines = invoice_lines(charges, provider, query, dimensions)
    if not lines:
        raise InvoiceError(f"Nothing is billed for provider {provider!r} in this period")
    period = query.get("period") or f"{min(line.day for line in lines):%Y-%m}"
    number = query.get("invoice_id") or f"SIM-{provider}-{period}"
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for position, line in enumerate(lines, 1):
        head = {"invoice_id": number, "period": period, "line_id": f"{number}-{position:04d}"}
        writer.writerow(head | _csv_cells(line))
    return out.getvalue(), "text/csv"


def _csv_cells(line: Line) -> dict[str, str]:
    in_cents = line.amount == line.amount.quantize(CENT)
    return {
        "provider": line.provider,
        "description": f"{line.model} {line.meter.replace('_', ' ')}",
        "model": line.model,
        "meter": line.meter,
        "quantity": str(line.quantity),
        "quantity_unit": line.unit,
        "amount": f"{line.amount:.2f}" if in_cents else plain(line.amount),
        "currency": "USD",
        "charge_category": "usage",
        "project": line.project or "",
        "api_key": line.api_key or "",
    }


def _by_day(lines: list[Line]) -> dict[date, list[Line]]:
    days: dict[date, list[Line]] = {}
    for line in lines:
        days.setdefault(line.day, []).append(line)
    return days


def _sum(lines: list[Line]) -> Decimal:
    return sum((line.amount for line in lines), Decimal(0))


def _seconds(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())


def _days(per_day: Mapping[date, object], query: Mapping[str, str]) -> list[date]:
    """Return the days asked for, [start, end), or those from the first to the last charge."""
    first = _day(query.get("start_time") or query.get("starting_at"))
    last = _day(query.get("end_time") or query.get("ending_at"))
    first = first or min(per_day, default=None)
    last = last or (max(per_day) + _DAY if per_day else None)
    if first is None or last is None:
        return []
    return [first + i * _DAY for i in range(max(0, (last - first).days))]


def _day(text: str | None) -> date | None:
    if not text:
        return None
    try:
        if text.isdigit():
            return datetime.fromtimestamp(int(text), UTC).date()
        return datetime.fromisoformat(text).date()
    except ValueError as error:
        raise InvoiceError(f"Instant {text!r} is neither Unix seconds nor RFC 3339") from error


def _page(days: list[date], query: Mapping[str, str]) -> tuple[list[date], str | None]:
    """Return the days of one page and the token of the next; no `limit`, no `page`: one page."""
    if "limit" not in query and "page" not in query:
        return days, None
    try:
        start = int(query.get("page", "page_0").removeprefix("page_"))
        end = start + max(1, int(query.get("limit", "7")))
    except ValueError as error:
        raise InvoiceError("page is a token of ours, limit a whole number of days") from error
    return days[start:end], f"page_{end}" if end < len(days) else None


_KINDS: dict[str, Callable[[list[Charge], Mapping[str, str]], Rendered]] = {
    "openai_costs": openai_costs,
    "anthropic_cost_report": anthropic_cost_report,
    "csv": generic_csv,
}
