"""OpenRouter activity: what an account paid per UTC day, model and endpoint.

GET /api/v1/activity (documentation, read 2026-11): the last 30 COMPLETED UTC days, so it must be
fetched at least monthly. `usage` is in US dollars as a float; `byok_usage_inference` is what one's
own key paid to the other provider, on that provider's bill. A day without calls has no row, so
gaps cannot be told from days that are left out, unless each day is asked for by itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from anchor_autopatch.job.invoices.formats.exports import instant_of
from anchor_autopatch.job.invoices.formats.pages import (
    Bucket,
    Json,
    Number,
    invoices_of_days,
    text_of,
)
from anchor_autopatch.job.invoices.landing import InvoiceLine, landed
from anchor_autopatch.job.invoices.reading import Landed, Source
from anchor_autopatch.job.invoices.values import parse_amount

if TYPE_CHECKING:
    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.formats.payloads import Payload
    from anchor_autopatch.job.invoices.values import Context

__all__ = ("SOURCE",)

_NAME = "openrouter"
_DAY = timedelta(days=1)


def _recognises(payload: Payload) -> bool:
    return any("byok_usage_inference" in row for row in _rows(payload))


def _rows(payload: Payload) -> list[Json]:
    """The rows of one answer, or of a list of answers for a day each."""
    answers = payload.json if isinstance(payload.json, list) else [payload.json]
    return [
        row
        for answer in answers
        if isinstance(answer, dict) and isinstance(answer.get("data"), list)
        for row in answer["data"]
        if isinstance(row, dict)
    ]


def _read(payload: Payload, context: Context, findings: Findings) -> Landed:
    days: dict[datetime, list[InvoiceLine]] = {}
    if context.window:
        start, end = context.window
        days = {start + number * _DAY: [] for number in range((end - start) // _DAY)}
    for row in _rows(payload):
        try:
            line = _line(row, context)
        except ValueError as error:
            findings.add(None, f"{error} ({row.get('model')!r})")
            continue
        days.setdefault(line.period_start, []).append(line)
    if not days and not findings:
        findings.add(None, "The answer holds no day; save the activity as it is")
    _check_repeats(days, findings)
    buckets = [(Bucket(day, day + _DAY, []), lines) for day, lines in sorted(days.items())]
    provider = context.provider or "openrouter"
    return Landed(tuple(invoices_of_days(_NAME, provider, buckets, context, findings)))


SOURCE = Source(_NAME, _recognises, _read)


def _check_repeats(days: dict[datetime, list[InvoiceLine]], findings: Findings) -> None:
    for day, lines in days.items():
        if len({line.line_id for line in lines}) < len(lines):
            findings.add(None, f"Day {day:%Y-%m-%d} has an endpoint twice; save each answer once")


def _line(row: Json, context: Context) -> InvoiceLine:
    day = instant_of(text_of(row.get("date")) or "")
    if context.window and not context.window[0] <= day < context.window[1]:
        raise ValueError(f"Day {day:%Y-%m-%d} was not asked for; ask again")
    if day + _DAY > context.now:
        raise ValueError(f"Day {day:%Y-%m-%d} has not ended; ask for completed days")
    value = row.get("usage")
    if not isinstance(value, Number):
        raise ValueError(f"usage is {value!r}, no JSON number; save the activity as it is")  # noqa: TRY004
    calls, endpoint = row.get("requests"), text_of(row.get("endpoint_id"))
    return InvoiceLine(
        amount=landed(parse_amount(value)),
        amount_text=str(value),
        currency="USD",
        period_start=day,
        period_end=day + _DAY,
        line_id=f"{day:%Y-%m-%d}/{text_of(row.get('model_permaslug'))}/{endpoint}",
        description=text_of(row.get("model_permaslug")),
        service=text_of(row.get("provider_name")),
        model_raw=text_of(row.get("model")),
        quantity=landed(parse_amount(calls)) if isinstance(calls, Number) else None,
        quantity_unit="requests",
        is_final=False,
    )
