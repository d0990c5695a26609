"""Conditions of the money as events, which incidents, silences and alerts treat like failures.

An event is known by its id, which is made of what it is about: however often a run finds a
threshold crossed, it counts once; in another month, at another threshold or with another amount it
is another one. Pure.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from hashlib import sha256
from typing import Any, NamedTuple

from anchor_autopatch.core.records import ExceptionEvent
from anchor_autopatch.job.clock import to_micros
from anchor_autopatch.job.spend.anomalies import Finding
from anchor_autopatch.job.spend.standing import Standing

__all__ = ("App", "RetryFinding", "anomaly_event", "anomaly_id", "budget_events", "retry_event")

_EXHAUSTED = 100
_HOUR_US = 3_600_000_000
_BADGES = {"estimated": "est"}
_CENT = Decimal("0.01")


class App(NamedTuple):
    """Whose money; None where nobody said."""

    team: str | None
    service: str | None
    environment: str | None


class RetryFinding(NamedTuple):
    """Requests of five minutes that were sent again beyond reason; a row of `retry_slot`."""

    slot: datetime
    team: str | None
    service: str | None
    environment: str | None
    provider: str
    event_class: str
    """Of the failures."""
    finding: str
    """retry_storm | useless_retry."""
    wasted_requests: int
    most_requests_of_a_call: int
    sent_requests: int
    wasted_ms: int | None
    wasted_usd: Decimal | None
    last_seen: datetime


def budget_events(standing: Standing, now: datetime) -> list[ExceptionEvent]:
    """An event for each threshold that is reached, and one a day while the budget burns."""
    budget, period = standing.budget, standing.month.label
    app = App(budget.team, budget.service, budget.environment)
    # The amount is part of it: a budget that was raised is crossed anew.
    amount = f"{budget.amount.normalize():f} {budget.currency}"
    events = []
    for threshold in standing.crossed:
        kind = "budget_exceeded" if threshold >= _EXHAUSTED else "budget_threshold"
        code = f"{budget.name}/{period}@{threshold}% of {amount}"
        events.append(_event(kind, code, app, budget.provider, to_micros(now), _stands(standing)))
    if standing.burn is not None:
        kind = "budget_burn" if standing.burn.severity == "critical" else "budget_pace"
        code = f"{budget.name}/{period}@{standing.burn.name} of {amount}"
        text = f"{_stands(standing)}; spent {standing.burn.name} as fast as an even month"
        made = _event(kind, code, app, budget.provider, to_micros(now), text)
        events.append(made._replace(event_id=_id(kind, code, f"{now:%Y-%m-%d}")))
    return events


def _stands(standing: Standing) -> str:
    budget, spending = standing.budget, standing.spending
    badge = _BADGES.get(spending.status, spending.status)
    text = (
        f"Budget {budget.name}: {_money(spending.spent)} of {_money(budget.amount)} "
        f"{budget.currency} in {standing.month.label} ({badge})"
    )
    if standing.forecast is not None:
        text += f"; the month will end at {_money(standing.forecast.p50)} (est)"
    if spending.unpriced_calls:
        text += f"; {spending.unpriced_calls} calls without a price are not in it"
    return text


def anomaly_event(app: App, finding: Finding) -> ExceptionEvent:
    """The event of one unusual hour, at its end."""
    span = "24 hours" if finding.method == "previous_day" else "an hour"
    text = f"{_money(finding.cost)} USD (est) in {span} where {_money(finding.expected)} is usual"
    end_us = (finding.hour + 1) * _HOUR_US
    made = _event("spend_anomaly", None, app, None, end_us, text)
    return made._replace(event_id=anomaly_id(app, finding.hour))


def anomaly_id(app: App, hour: int) -> str:
    """Id of the event of an hour."""
    return _id("spend_anomaly", *(part or "" for part in app), str(hour))


def retry_event(found: RetryFinding) -> ExceptionEvent:
    """The event of five minutes in which an application sent too much again."""
    app = App(found.team, found.service, found.environment)
    text = (
        f"{found.wasted_requests} of {found.sent_requests} requests repeated one that had failed "
        f"({found.event_class}), up to {found.most_requests_of_a_call} for one call"
    )
    if found.wasted_ms is not None:
        text += f"; {found.wasted_ms // 1000} s wasted"
    if found.wasted_usd is not None:
        text += f"; {_money(found.wasted_usd)} USD (est) may have been billed for it"
    # Naive UTC, as the warehouse has it.
    seen_us = _micros(found.last_seen)
    # One event for five minutes, however far they had gone when a run first saw them.
    made = _event(found.finding, found.event_class, app, found.provider, seen_us, text)
    return made._replace(
        event_id=_id(
            found.finding, found.event_class, found.provider, *map(str, app), str(found.slot)
        )
    )


def _event(
    kind: str, code: str | None, app: App, provider: str | None, at_us: int, text: str
) -> ExceptionEvent:
    empty: dict[str, Any] = dict.fromkeys(ExceptionEvent._fields)
    given = {
        "event_id": _id(kind, code or ""),
        "occurred_at_us": at_us,
        "event_class": kind,
        "provider": provider,
        "code": code,
        "message": text,
        "retried": 0,
        "occurrences": 1,
    }
    return ExceptionEvent(**(empty | given | app._asdict()))


def _id(*parts: str) -> str:
    return sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def _money(amount: Decimal) -> str:
    return f"{amount.quantize(_CENT, ROUND_HALF_EVEN):,f}"


def _micros(naive: datetime) -> int:
    return to_micros(naive.replace(tzinfo=UTC))
