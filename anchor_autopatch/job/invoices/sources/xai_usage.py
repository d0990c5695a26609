"""xAI usage analytics of the Management API: US dollars by day, key, model and unit.

POST /v1/billing/teams/{id}/usage (documentation and wrappers, read 2026-11). Values are floats in
US DOLLARS, where invoices count cents. Saved with its request, {"request": ..., "response": ...}:
the answer alone says neither its days nor the meaning of its groups. The time zone is the asker's
choice; days must be UTC, as receipts are. `limitReached` means that groups were left out.
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
from anchor_autopatch.job.invoices.meters import meter_of
from anchor_autopatch.job.invoices.reading import Landed, Source
from anchor_autopatch.job.invoices.values import parse_amount

if TYPE_CHECKING:
    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.formats.payloads import Payload
    from anchor_autopatch.job.invoices.values import Context

__all__ = ("SOURCE",)

_NAME = "xai-usage"
_DAY = timedelta(days=1)
_UTC = ("Etc/GMT", "Etc/UTC", "UTC", "GMT")

_Days = dict[datetime, list[InvoiceLine]]


def _recognises(payload: Payload) -> bool:
    asked = payload.json.get("request") if isinstance(payload.json, dict) else None
    return isinstance(asked, dict) and "analyticsRequest" in asked


def _read(payload: Payload, context: Context, findings: Findings) -> Landed:
    saved = payload.json if isinstance(payload.json, dict) else {}
    try:
        asked = _object(_object(saved, "request"), "analyticsRequest")
        answer = _object(saved, "response")
        if answer.get("limitReached"):
            raise ValueError("limitReached is true: groups were left out; ask for fewer days")  # noqa: TRY301
        days = _asked_days(asked)
        for series in _list(answer, "timeSeries"):
            _add_series(days, _list(asked, "groupBy"), series)
    except ValueError as error:
        findings.add(None, str(error))
        return Landed()
    if context.window and (min(days), max(days) + _DAY) != context.window:
        findings.add(None, f"Days from {min(days)} on are not those asked for; ask again")
    buckets = [(Bucket(day, day + _DAY, []), lines) for day, lines in days.items()]
    provider = context.provider or "xai"
    return Landed(tuple(invoices_of_days(_NAME, provider, buckets, context, findings)))


SOURCE = Source(_NAME, _recognises, _read)


def _object(holder: Json, name: str) -> Json:
    value = holder.get(name)
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {value!r}; save request and response together")  # noqa: TRY004
    return value


def _list(holder: Json, name: str) -> list[object]:
    value = holder.get(name)
    if not isinstance(value, list):
        raise ValueError(f"{name} is {value!r}, no list; save the answer as it is")  # noqa: TRY004
    return value


def _asked_days(asked: Json) -> _Days:
    """Every UTC day that was asked for, in order; days without data stay empty."""
    span = _object(asked, "timeRange")
    zone = text_of(span.get("timezone")) or ""
    if zone not in _UTC:
        raise ValueError(f"Days of time zone {zone!r} are no UTC days; ask for Etc/GMT")
    if asked.get("timeUnit") != "TIME_UNIT_DAY":
        raise ValueError(f"timeUnit is {asked.get('timeUnit')!r}; ask for TIME_UNIT_DAY")
    if [value.get("name") for value in _list(asked, "values") if isinstance(value, dict)] != [
        "usd"
    ]:
        raise ValueError(f"values is {asked.get('values')!r}; ask for the sum of usd alone")
    start = instant_of(text_of(span.get("startTime")) or "")
    # The end is the last second that counts: 23:59:59.
    end = instant_of(text_of(span.get("endTime")) or "") + timedelta(seconds=1)
    count, rest = divmod(end - start, _DAY)
    if rest or count < 1 or start != start.replace(hour=0, minute=0, second=0):
        raise ValueError(f"timeRange {start} to {end} is not of whole days; ask for whole days")
    return {start + number * _DAY: [] for number in range(count)}


def _add_series(days: _Days, group_by: list[object], series: object) -> None:
    if not isinstance(series, dict):
        raise ValueError(f"A series is {series!r}, no object; save the answer as it is")  # noqa: TRY004
    group = _list(series, "group")
    if len(group) != len(group_by):
        raise ValueError(f"Group {group!r} does not fit groupBy {group_by!r}; save them together")
    named = {str(name): text_of(value) for name, value in zip(group_by, group, strict=True)}
    for point in _list(series, "dataPoints"):
        if not isinstance(point, dict):
            raise ValueError(f"A data point is {point!r}, no object; save the answer as it is")  # noqa: TRY004
        day = instant_of(text_of(point.get("timestamp")) or "")
        if day not in days:
            raise ValueError(f"Data point {day} is not of the days asked for; save it as it is")
        values = _list(point, "values")
        value = values[0] if len(values) == 1 else None
        if not isinstance(value, Number):
            raise ValueError(f"Value {value!r} of {day} is no number; save the answer as it is")  # noqa: TRY004
        if parse_amount(value):
            days[day].append(_line(day, value, named))


def _line(day: datetime, value: Number, named: dict[str, str | None]) -> InvoiceLine:
    model, unit = named.get("description"), named.get("unit_type")
    return InvoiceLine(
        amount=landed(parse_amount(value)),
        amount_text=str(value),
        currency="USD",
        period_start=day,
        period_end=day + _DAY,
        description=" ".join(filter(None, (model, unit))) or None,
        model_raw=model,
        meter=meter_of(unit or ""),
        api_key=named.get("api_key_id"),
        is_final=False,
    )
