"""Looks at spending in the warehouse, keeps what it found there, and raises incidents of it.

The last step before publishing: it needs prices and the split of the bills. Retries are looked at
in the same run, since what they cost needs prices, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from anchor_autopatch.core.policy.budgets import AnomalyRules, Budget, read_spend_policy
from anchor_autopatch.job.incidents.evaluating import EvaluateReport, evaluate
from anchor_autopatch.job.incidents.intake import Intake
from anchor_autopatch.job.incidents.publishing import copy_to_warehouse
from anchor_autopatch.job.incidents.running import Settings, send
from anchor_autopatch.job.incidents.store import Store
from anchor_autopatch.job.invoices.values import naive_utc
from anchor_autopatch.job.spend.anomalies import HOURS_OF_HISTORY, Finding, find_unusual
from anchor_autopatch.job.spend.budgets import BURNS, HISTORY_DAYS, Month, month_of, percent_of
from anchor_autopatch.job.spend.events import (
    App,
    RetryFinding,
    anomaly_event,
    anomaly_id,
    budget_events,
    retry_event,
)
from anchor_autopatch.job.spend.standing import (
    DayCost,
    PeriodCost,
    Read,
    Standing,
    WindowCost,
    standing,
)
from anchor_autopatch.job.spend.unpriced import events_to_tell, note_unpriced
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from anchor_autopatch.core.records import ExceptionEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_JUDGED_AGAIN = 48
"""Hours that a run looks at anew: receipts of processes that were busy come later."""
_FIRST_JUDGED = 28 * 24
_KNOWN_OLD = 7 * 24
"""Hours before the history; with a call in them a series is old enough to have a usual week."""
_LATE = timedelta(days=3)
"""How long after its end a month still changes: shipping is late, and invoices come."""


class SpendReport(NamedTuple):
    """What one run found about spending."""

    standings: tuple[Standing, ...]
    anomalies: int
    """Unusual hours among those that were judged."""
    retries: int
    """Five minutes of an application in which it sent too much again, of the last three days."""
    incidents: EvaluateReport


def watch_spend(
    con: DuckDBPyConnection,
    home: Path,
    config: Mapping[str, Any],
    settings: Settings,
    now: datetime,
) -> SpendReport:
    """Judges budgets, hours and retries, and tells of what is new; idempotent.

    Args:
        con: Open warehouse, priced and allocated.
        home: Holds incidents.db.
        config: `anchor.toml`; what cannot be used in it is left out, see `anchor policy check`.
        settings: When an incident ends, and who is told.
        now: Aware.
    """
    policy, _ = read_spend_policy(config)
    with transaction(con):
        standings = _judge_budgets(con, policy.budgets, now)
        anomalies = _judge_hours(con, policy.anomalies, now)
        note_unpriced(con, now)
    retries = _retries(con, now)
    news: list[ExceptionEvent] = [
        *(event for each in standings for event in budget_events(each, now)),
        *(anomaly_event(app, found) for app, found in anomalies if _is_recent(found, now)),
        *map(retry_event, retries),
        *events_to_tell(con, now),
    ]
    # No marks: these events come from no outbox, and their ids alone keep them from counting twice.
    with Store(home) as store:
        found = evaluate(
            store, lambda: Intake(news, [], {}), settings.incidents, settings.alerts, now
        )
        send(store, home, settings, now)
        copy_to_warehouse(store, con)
    return SpendReport(standings, len(anomalies), len(retries), found)


# -- budgets --


def _judge_budgets(
    con: DuckDBPyConnection, budgets: Iterable[Budget], now: datetime
) -> tuple[Standing, ...]:
    sql = load("spend")
    # All anew: a budget that was taken out of anchor.toml must not stand in the report for ever.
    con.execute(sql["forget_budgets"])
    months = _months(now)
    read = _read(con, months, now) if budgets else Read([], [], [])
    found = tuple(standing(each, month, read, now) for month in months for each in budgets)
    for each in found:
        con.execute(sql["keep_budget"], _budget_row(each, now))
    return found


def _months(now: datetime) -> list[Month]:
    before = month_of(now - _LATE)
    present = month_of(now)
    return [present] if before == present else [before, present]


def _read(con: DuckDBPyConnection, months: list[Month], now: datetime) -> Read:
    sql = load("spend")
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = min(months[0].start, today - timedelta(days=HISTORY_DAYS + 1))
    seconds = sorted({span // timedelta(seconds=1) for burn in BURNS for span in burn[1:3]})
    periods = con.execute(sql["period_costs"], {"periods": [each.label for each in months]})
    costs = [PeriodCost(*row) for row in periods.fetchall()]
    days = con.execute(sql["daily_costs"], _span(first, now + timedelta(microseconds=1)))
    by_day = [DayCost(*row) for row in days.fetchall()]
    windows = con.execute(sql["window_costs"], {"now": naive_utc(now), "seconds": seconds})
    return Read(costs, by_day, [WindowCost(*row) for row in windows.fetchall()])


def _span(start: datetime, end: datetime) -> dict[str, datetime]:
    return {"from": naive_utc(start), "until": naive_utc(end)}


def _budget_row(found: Standing, now: datetime) -> dict[str, object]:
    budget, spending, made = found.budget, found.spending, found.forecast
    return {
        "budget": budget.name,
        "period": found.month.label,
        "team": budget.team,
        "service": budget.service,
        "environment": budget.environment,
        "provider": budget.provider,
        "amount": budget.amount,
        "currency": budget.currency,
        "spent": spending.spent,
        "estimated_part": spending.estimated,
        "status": spending.status,
        "spent_percent": percent_of(spending.spent, budget.amount),
        "threshold_percent": max(found.crossed, default=None),
        "burn": found.burn and found.burn.name,
        "forecast_p50": made and made.p50,
        "forecast_p90": made and made.p90,
        "forecast_days": made and made.days,
        "unpriced_calls": spending.unpriced_calls,
        "unconverted_usd": spending.unconverted_usd,
        "evaluated_at": naive_utc(now),
    }


# -- unusual hours --


def _judge_hours(
    con: DuckDBPyConnection, rules: AnomalyRules, now: datetime
) -> list[tuple[App, Finding]]:
    sql = load("spend")
    hours = _hours_to_judge(con, now)
    start = _EPOCH + (hours.start - HOURS_OF_HISTORY - _KNOWN_OLD) * _HOUR
    rows = con.execute(sql["hourly_costs"], _span(start, _EPOCH + hours.stop * _HOUR)).fetchall()
    series: dict[App, dict[int, Decimal]] = {}
    for team, service, environment, hour, cost in rows:
        series.setdefault(App(team, service, environment), {})[hour] = cost
    found = [
        (app, finding)
        for app, costs in series.items()
        for finding in find_unusual(costs, hours, rules)
    ]
    con.execute(sql["forget_anomalies"], {"from": naive_utc(_EPOCH + hours.start * _HOUR)})
    for app, finding in found:
        con.execute(sql["keep_anomaly"], _anomaly_row(app, finding, now))
    con.execute(sql["forget_judged"])
    con.execute(sql["note_judged"], {"until": naive_utc(_EPOCH + hours.stop * _HOUR)})
    return found


def _hours_to_judge(con: DuckDBPyConnection, now: datetime) -> range:
    """The whole hours since the last run and those that late receipts may have changed."""
    present = (now - _EPOCH) // _HOUR
    row = con.execute(load("spend")["judged_until"]).fetchone()
    judged = (row[0].replace(tzinfo=UTC) - _EPOCH) // _HOUR if row else 0
    # A clock that was set back must not leave hours out.
    first = min(judged, present) - _JUDGED_AGAIN
    return range(max(first, present - _FIRST_JUDGED), present)


def _is_recent(found: Finding, now: datetime) -> bool:
    """Whether anybody still wants to be told; the rest is history, for the report."""
    return found.hour >= (now - _EPOCH) // _HOUR - _JUDGED_AGAIN


def _anomaly_row(app: App, found: Finding, now: datetime) -> dict[str, object]:
    return {
        "event_id": anomaly_id(app, found.hour),
        "hour": naive_utc(_EPOCH + found.hour * _HOUR),
        **app._asdict(),
        "method": found.method,
        "cost_usd": found.cost,
        "expected_usd": found.expected,
        "found_at": naive_utc(now),
    }


# -- retries --


def _retries(con: DuckDBPyConnection, now: datetime) -> list[RetryFinding]:
    span = _span(now - _LATE, now + timedelta(microseconds=1))
    rows = con.execute(load("spend")["retry_findings"], span).fetchall()
    return [RetryFinding(*row) for row in rows]
