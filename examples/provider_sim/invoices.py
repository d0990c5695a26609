"""The ledger as an invoice: OpenAI Costs payload, Anthropic cost report, generic CSV.

Payload shapes: OpenAI API specification, organization costs (2026-08-21), and Anthropic cost_report
documentation, both read 2026-11.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from examples.provider_sim.ledger import Charge, plain
from examples.provider_sim.prices import UNIT_METERS
from examples.provider_sim.values import Json

CENT = Decimal("0.01")
CSV_COLUMNS = (
    "invoice_id", "provider", "period", "line_id", "description", "model", "meter", "quantity", "quantity_unit",
    "amount", "currency", "charge_category", "project", "api_key",
)  # fmt: skip


class InvoiceError(ValueError):
    """An invoice that cannot be made from this ledger."""


@dataclass(frozen=True, slots=True)
class Line:
    """One summed position: a day, a model, a meter, a project and a key; `amount` in USD."""

    day: date
    provider: str
    model: str
    meter: str
    tier: str | None
    project: str | None
    api_key: str | None
    quantity: int
    amount: Decimal

    def key(self, *dimensions: str) -> tuple[str, ...]:
        """Return the values of some dimensions as text, for grouping and ordering."""
        return tuple("" if (value := getattr(self, name)) is None else str(value) for name in dimensions)


_ALL = ("day", "provider", "model", "meter", "tier", "project", "api_key")


def render(kind: str, charges: Iterable[Charge], query: Mapping[str, str]) -> tuple[str, str]:
    """Return body and media type of an invoice.

    Raises:
        InvoiceError: for an unknown kind, a bad parameter, or a total that nothing can carry.
    """
    maker = _KINDS.get(kind)
    if maker is None:
        raise InvoiceError(f"Unknown invoice kind {kind!r}; known: {', '.join(_KINDS)}")
    return maker(list(charges), query)


def _lines(charges: Iterable[Charge], provider: str, query: Mapping[str, str], dimensions: tuple[str, ...]) -> list[Line]:
    """Return the provider's lines of the period, summed by `dimensions`, scaled to `total` when asked."""
    period, project = query.get("period"), query.get("project")
    singles = [
        Line(c.at.date(), c.provider, c.model, meter, c.service_tier, c.project, c.api_key_id, c.meters[meter], amount)
        for c in charges
        if c.provider == provider and period in (None, f"{c.at:%Y-%m}") and project in (None, c.project)
        for meter, amount in c.amounts.items()
    ]
    return _scaled(_summed(singles, dimensions), query.get("total"))


def _summed(lines: Iterable[Line], dimensions: tuple[str, ...]) -> list[Line]:
    groups: dict[tuple[str, ...], Line] = {}
    for line in lines:
        key = line.key(*dimensions)
        so_far = groups.get(key)
        groups[key] = (
            line
            if so_far is None
            else replace(so_far, quantity=so_far.quantity + line.quantity, amount=so_far.amount + line.amount)
        )
    return [groups[key] for key in sorted(groups)]


def _scaled(lines: list[Line], total: str | None) -> list[Line]:
    """Return the lines in whole cents that sum to `total` ("auto": their own sum) by largest remainder."""
    if total is None:
        return lines
    whole = sum((line.amount for line in lines), Decimal(0))
    wanted = _cents(whole if total == "auto" else _amount(total))
    if whole <= 0 and wanted:
        raise InvoiceError(f"A total of {total} cannot be spread: the ledger bills {plain(whole)} USD")
    exact = [line.amount / whole * wanted if whole else Decimal(0) for line in lines]
    cents = [int(value) for value in exact]
    order = sorted(range(len(lines)), key=lambda i: (cents[i] - exact[i], i))
    for i in order[: wanted - sum(cents)]:
        cents[i] += 1
    if lines and sum(cents) != wanted:
        raise InvoiceError(f"Lines sum to {sum(cents)} cents instead of {wanted}")
    return [replace(line, amount=CENT * count) for line, count in zip(lines, cents, strict=True)]


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise InvoiceError(f"Invoice total={text!r} is not a decimal amount; write it like 100.00") from error
    if amount < 0 or amount != amount.quantize(CENT):
        raise InvoiceError(f"Invoice total={text!r} must be a positive amount in whole cents")
    return amount


def _cents(amount: Decimal) -> int:
    return int((amount / CENT).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _unit(meter: str) -> str:
    return UNIT_METERS.get(meter, "tokens")


def _openai_item(line: Line) -> str:
    tier = f", {line.tier}" if line.tier in ("flex", "priority", "batch") else ""
    return f"{line.model}, {line.meter.replace('_', ' ')}{tier}"


def openai_costs(charges: list[Charge], query: Mapping[str, str]) -> tuple[str, str]:
    """Return the Costs payload: daily buckets, amounts as JSON numbers, dimensions null unless grouped by."""
    grouped = _grouped(query)
    per_day: dict[date, list[Line]] = {}
    for line in _lines(charges, query.get("provider", "openai"), query, _ALL):
        per_day.setdefault(line.day, []).append(line)
    days, following = _page(_days(per_day, query), query)
    buckets = [
        {
            "object": "bucket",
            "start_time": int(_midnight(day).timestamp()),
            "end_time": int(_midnight(day + timedelta(days=1)).timestamp()),
            "results": _cost_results(per_day.get(day, []), grouped),
        }
        for day in days
    ]
    page = {"object": "page", "has_more": following is not None, "next_page": following, "data": buckets}
    return json.dumps(page), "application/json"


def _grouped(query: Mapping[str, str]) -> frozenset[str]:
    asked = query.get("group_by")
    return frozenset(asked.split(",")) if asked is not None else frozenset({"line_item", "project_id", "api_key_id"})


def _cost_results(lines: list[Line], grouped: frozenset[str]) -> list[Json]:
    sums: dict[tuple[str | None, ...], tuple[Decimal, int, str]] = {}
    for line in lines:
        key = (
            _openai_item(line) if "line_item" in grouped else None,
            line.project if "project_id" in grouped else None,
            line.api_key if "api_key_id" in grouped else None,
        )
        amount, quantity, _ = sums.get(key, (Decimal(0), 0, ""))
        sums[key] = (amount + line.amount, quantity + line.quantity, _unit(line.meter))
    return [
        {
            "object": "organization.costs.result",
            "amount": {"value": float(amount), "currency": "usd"},
            "line_item": key[0],
            "project_id": key[1],
            "api_key_id": key[2],
            "quantity": quantity if key[0] else None,
            "quantity_unit": unit if key[0] else None,
        }
        for key, (amount, quantity, unit) in sums.items()
    ]


def _days(per_day: Mapping[date, object], query: Mapping[str, str]) -> list[date]:
    """Return the days asked for, [start, end), or those from the first to the last charge."""
    first = _day(query.get("start_time") or query.get("starting_at")) or min(per_day, default=None)
    last = _day(query.get("end_time") or query.get("ending_at"))
    if last is None and per_day:
        last = max(per_day) + timedelta(days=1)
    if first is None or last is None:
        return []
    return [first + timedelta(days=i) for i in range(max(0, (last - first).days))]


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
    """Return the days of one page and the token of the next; without `limit` or `page` everything is one page."""
    if "limit" not in query and "page" not in query:
        return days, None
    start = int(query.get("page", "page_0").removeprefix("page_"))
    end = start + int(query.get("limit", "7"))
    return days[start:end], f"page_{end}" if end < len(days) else None


_ANTHROPIC_MEANING = {
    "uncached_input_tokens": "Input Tokens",
    "cache_creation.ephemeral_5m_input_tokens": "Input Tokens, Cache Write 5m",
    "cache_creation.ephemeral_1h_input_tokens": "Input Tokens, Cache Write 1h",
    "cache_read_input_tokens": "Input Tokens, Cache Hit",
    "output_tokens": "Output Tokens",
}


def anthropic_cost_report(charges: list[Charge], query: Mapping[str, str]) -> tuple[str, str]:
    """Return the cost report: daily buckets, amounts as decimal text in cents."""
    per_day: dict[date, list[Line]] = {}
    for line in _lines(charges, query.get("provider", "anthropic"), query, ("day", "model", "meter", "tier")):
        per_day.setdefault(line.day, []).append(line)
    days, following = _page(_days(per_day, query), query)
    data = [
        {
            "starting_at": _stamp(day),
            "ending_at": _stamp(day + timedelta(days=1)),
            "results": [_report_result(line) for line in per_day.get(day, [])],
        }
        for day in days
    ]
    return json.dumps({"data": data, "has_more": following is not None, "next_page": following}), "application/json"


def _stamp(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def _report_result(line: Line) -> Json:
    tokens = line.meter in _ANTHROPIC_MEANING
    name = line.model.replace("-", " ").title()
    return {
        "amount": plain(line.amount * 100),
        "currency": "USD",
        "cost_type": "tokens" if tokens else "web_search",
        "description": f"{name} Usage - {_ANTHROPIC_MEANING[line.meter]}" if tokens else "Web Search Usage",
        "model": line.model if tokens else None,
        "token_type": line.meter if tokens else None,
        "context_window": "0-200k" if tokens else None,
        "service_tier": line.tier if tokens else None,
        "inference_geo": "global" if tokens else None,
        "workspace_id": None,
    }


def generic_csv(charges: list[Charge], query: Mapping[str, str]) -> tuple[str, str]:
    """Return a CSV invoice, one line per model, meter, project and key; `provider` is needed."""
    provider = query.get("provider")
    if not provider:
        raise InvoiceError("A CSV invoice needs provider=, for example provider=gemini")
    lines = _lines(charges, provider, query, ("model", "meter", "tier", "project", "api_key"))
    if not lines:
        raise InvoiceError(f"The ledger bills nothing for provider {provider!r} in this period")
    period = query.get("period") or f"{min(line.day for line in lines):%Y-%m}"
    number = query.get("invoice_id") or f"SIM-{provider}-{period}"
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for position, line in enumerate(lines, 1):
        writer.writerow(_csv_row(line, number, period, position))
    return out.getvalue(), "text/csv"


def _csv_row(line: Line, number: str, period: str, position: int) -> list[str]:
    description = f"{line.model} {line.meter.replace('_', ' ')}"
    amount = plain(line.amount) if line.amount != line.amount.quantize(CENT) else f"{line.amount:.2f}"
    return [
        number, line.provider, period, f"{number}-{position:04d}", description, line.model, line.meter,
        str(line.quantity), _unit(line.meter), amount, "USD", "usage", line.project or "", line.api_key or "",
    ]  # fmt: skip


_KINDS: dict[str, Callable[[list[Charge], Mapping[str, str]], tuple[str, str]]] = {
    "openai_costs": openai_costs,
    "anthropic_cost_report": anthropic_cost_report,
    "csv": generic_csv,
}
