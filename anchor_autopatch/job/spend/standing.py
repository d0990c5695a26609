"""How every budget stands: its share of what was read, judged; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeVar

from anchor_autopatch.core.policy.budgets import SCOPES, Budget
from anchor_autopatch.job.spend.budgets import (
    HISTORY_DAYS,
    Burn,
    Forecast,
    Month,
    Spending,
    burning,
    crossed,
    forecast,
)

__all__ = ("DayCost", "PeriodCost", "Standing", "WindowCost", "day_of", "standing")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEAKEST_FIRST = ("estimated", "anchored", "frozen")


class PeriodCost(NamedTuple):
    """What one application cost at one provider in a month so far."""

    period: str
    team: str | None
    service: str | None
    environment: str | None
    provider: str
    status: str
    currency: str
    cost: Decimal


class DayCost(NamedTuple):
    """The same in a day, by rate card, USD."""

    team: str | None
    service: str | None
    environment: str | None
    provider: str
    day: int
    """Since 1970-01-01 UTC."""
    cost: Decimal
    unpriced_calls: int


class WindowCost(NamedTuple):
    """The same in so many seconds until now."""

    team: str | None
    service: str | None
    environment: str | None
    provider: str
    seconds: int
    cost: Decimal


class Read(NamedTuple):
    """All that budgets are judged by."""

    periods: Sequence[PeriodCost]
    days: Sequence[DayCost]
    windows: Sequence[WindowCost]


class Standing(NamedTuple):
    """One budget in one month."""

    budget: Budget
    month: Month
    spending: Spending
    crossed: tuple[int, ...]
    """Thresholds that are reached, ascending."""
    burn: Burn | None
    forecast: Forecast | None
    """None where too little is known, the month is over, or estimates are in another currency."""


def standing(budget: Budget, month: Month, read: Read, now: datetime) -> Standing:
    """How the budget stands in a month that has begun.

    Args:
        budget: Of which money.
        month: The present one, or one before it.
        read: Everything of that month and of a day more than HISTORY_DAYS before `now`; any scope.
        now: Aware.
    """
    matches = _matcher(budget)
    days = [each for each in read.days if matches(each)]
    spending = _spending(budget, month, filter(matches, read.periods), days)
    reached = crossed(budget, spending.spent)
    # Estimates are in dollars, and what a dollar will be billed at nobody knows before the bill.
    if now >= month.end or budget.currency != "USD":
        return Standing(budget, month, spending, reached, None, None)
    windows: dict[timedelta, Decimal] = {}
    for each in filter(matches, read.windows):
        span = timedelta(seconds=each.seconds)
        windows[span] = windows.get(span, Decimal(0)) + each.cost
    burn = burning(budget, month, spending.spent, windows, now)
    made = forecast(_history(days, now), month, spending.spent, now)
    return Standing(budget, month, spending, reached, burn, made)


_Row = TypeVar("_Row", PeriodCost, DayCost, WindowCost)


def _matcher(budget: Budget) -> Callable[[_Row], bool]:
    wanted = [(name, getattr(budget, name)) for name in SCOPES if getattr(budget, name) is not None]

    def matches(row: _Row) -> bool:
        return all(getattr(row, name) == value for name, value in wanted)

    return matches


def _spending(
    budget: Budget, month: Month, costs: Iterable[PeriodCost], days: Iterable[DayCost]
) -> Spending:
    # An invoice in a third currency is in none of them: no rate of ours would be the booked one.
    spent, estimated, unconverted = Decimal(0), Decimal(0), Decimal(0)
    statuses = set()
    for each in costs:
        if each.period != month.label:
            continue
        if each.currency == budget.currency:
            statuses.add(each.status)
            spent += each.cost
            estimated += each.cost if each.status == "estimated" else 0
        elif each.status == "estimated":
            unconverted += each.cost
    first, end = day_of(month.start), day_of(month.end)
    return Spending(
        spent=spent,
        estimated=estimated,
        # Nothing spent is no more certain than an estimate: a bill may still come.
        status=next((each for each in _WEAKEST_FIRST if each in statuses), "estimated"),
        unpriced_calls=sum(each.unpriced_calls for each in days if first <= each.day < end),
        unconverted_usd=unconverted,
    )


def _history(days: Iterable[DayCost], now: datetime) -> list[Decimal]:
    """The cost of each whole day, oldest first; the day of the very first call is none."""
    today = day_of(now)
    costs: dict[int, Decimal] = {}
    for each in days:
        costs[each.day] = costs.get(each.day, Decimal(0)) + each.cost
    # Of today and of the first day only a part was seen; a part taken for a whole day would make
    # every forecast of a young team too low.
    first = max(min(costs, default=today) + 1, today - HISTORY_DAYS)
    return [costs.get(day, Decimal(0)) for day in range(first, today)]


def day_of(instant: datetime) -> int:
    """Days since 1970-01-01 UTC of an aware instant."""
    return (instant - _EPOCH) // timedelta(days=1)
