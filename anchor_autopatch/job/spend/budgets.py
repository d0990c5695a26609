"""How a budget stands: thresholds, burn rates, forecast; pure.

All amounts are in the currency of the budget. What a month has cost is partly estimated until its
invoices are there: `Spending` says so, and every figure made of it carries that on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from statistics import NormalDist
from typing import NamedTuple

from anchor_autopatch.core.policy.budgets import Budget

__all__ = (
    "BURNS",
    "HISTORY_DAYS",
    "Burn",
    "Forecast",
    "Month",
    "Spending",
    "burning",
    "crossed",
    "forecast",
    "month_of",
    "percent_of",
)

HISTORY_DAYS = 28
"""Whole days that a forecast looks at: four of each day of the week."""
_LEAST_DAYS = 3
_WEEK = 7
_DAY = timedelta(days=1)
_DUST = Decimal("1e-9")
_P90 = Decimal(repr(round(NormalDist().inv_cdf(0.9), 6)))


class Month(NamedTuple):
    """One calendar month in UTC, `[start, end)`."""

    label: str
    """YYYY-MM."""
    start: datetime
    end: datetime


class Spending(NamedTuple):
    """What is known of a budget's month so far."""

    spent: Decimal
    """What was invoiced, and the estimate of what was not."""
    estimated: Decimal
    """The part of `spent` that no invoice backs yet."""
    status: str
    """estimated | anchored | frozen: of the weakest part."""
    unpriced_calls: int
    """Calls whose cost is in none of it, because nobody knows it."""
    unconverted_usd: Decimal
    """Estimated in USD and not invoiced, where the budget is in another currency."""


class Burn(NamedTuple):
    """How fast a budget may burn in two windows at once before somebody is told."""

    tenths: int
    """So many times the even pace, times ten."""
    long: timedelta
    short: timedelta
    severity: str

    @property
    def name(self) -> str:
        """As it is told: 14.4x."""
        return f"{Decimal(self.tenths) / 10:f}x"


BURNS = (
    Burn(144, timedelta(hours=1), timedelta(minutes=5), "critical"),
    Burn(60, timedelta(hours=6), timedelta(minutes=30), "critical"),
    Burn(10, timedelta(days=3), timedelta(hours=6), "warning"),
)
"""As for errors: Google, The Site Reliability Workbook, chapter 5, table 5-8, 2018; the error
budget is money here, and its 30 days are the month. Read 2026-11."""


class Forecast(NamedTuple):
    """What the whole month will have cost."""

    p50: Decimal
    """As likely too low as too high."""
    p90: Decimal
    """Nine in ten months like this cost less."""
    days: int
    """Whole days that it was made from."""


def month_of(instant: datetime) -> Month:
    """The month of an aware instant."""
    # In UTC like the periods of bills, whatever the zone of whoever asks.
    start = instant.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    # 31 days after the first of any month lie in the next one.
    end = (start + 31 * _DAY).replace(day=1)
    return Month(f"{start:%Y-%m}", start, end)


def percent_of(spent: Decimal, amount: Decimal) -> Decimal:
    """Share of the budget in percent, rounded half even to six decimals."""
    return (100 * spent / amount).quantize(Decimal("1e-6"), ROUND_HALF_EVEN)


def crossed(budget: Budget, spent: Decimal) -> tuple[int, ...]:
    """The thresholds that are reached, ascending; compared without rounding."""
    return tuple(each for each in budget.thresholds if 100 * spent >= each * budget.amount)


def burning(
    budget: Budget,
    month: Month,
    spent: Decimal,
    windows: Mapping[timedelta, Decimal],
    now: datetime,
) -> Burn | None:
    """The fastest of BURNS at which the budget burns now, None for none.

    A pace alone is no news: it counts when the month would end above the budget at that pace.

    Args:
        budget: Of which money.
        month: The present one.
        spent: In it, so far.
        windows: Length -> cost of that long until `now`, of this month or the one before; none = 0.
        now: Aware.
    """
    length = _seconds(month.end - month.start)
    for burn in BURNS:
        # Multiplied out: a pace that is met exactly must not depend on how a division is rounded.
        fast = all(
            windows.get(span, 0) * length * 10 > budget.amount * burn.tenths * _seconds(span)
            for span in (burn.long, burn.short)
        )
        rest = windows.get(burn.long, Decimal(0)) * _seconds(month.end - now) / _seconds(burn.long)
        if fast and spent + rest > budget.amount:
            return burn
    return None


def _seconds(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(microseconds=1)) / 1_000_000


def forecast(
    days: Sequence[Decimal], month: Month, spent: Decimal, now: datetime
) -> Forecast | None:
    """The cost of the whole month: what is spent, and each day to come as its like were.

    A day to come is expected to cost the mean of the same days of the week, once there are four of
    each; the mean of all days until then. The interval is that of the mean method summed over the
    H days to come, normal and independent: sd * sqrt(H * (1 + H / T)), of which H * H / T is that
    the mean of T days is itself uncertain (Hyndman and Athanasopoulos, Forecasting: Principles and
    Practice, 3rd edition, 2021, sections 5.2 and 5.5; read 2026-11).

    Args:
        days: Costs of whole days, oldest first; the last one is yesterday (UTC).
        month: The present one.
        spent: In it, so far.
        now: Aware; what is left of today counts as a part of a day.

    Returns:
        None with less than three whole days: nothing can be told.
    """
    history = days[-HISTORY_DAYS:]
    if len(history) < _LEAST_DAYS:
        return None
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    expected = _expected(history)
    coming, left = Decimal(0), Decimal(0)
    for number in range((month.end - today).days):
        # Place of the same day of the week in `expected`; its last entry is yesterday's.
        part = _seconds(today + _DAY - now) / _seconds(_DAY) if number == 0 else Decimal(1)
        coming += part * expected[number % _WEEK]
        left += part
    p50 = spent + coming
    margin = _P90 * _spread(history, expected) * (left * (1 + left / len(history))).sqrt()
    return Forecast(_cut(p50), _cut(p50 + margin), len(history))


def _expected(history: Sequence[Decimal]) -> list[Decimal]:
    """What today and the six days after it cost, by their likes in the history."""
    if len(history) < HISTORY_DAYS:
        return [_mean(history)] * _WEEK
    # The oldest of 28 days is of today's day of the week, and so is every seventh after it.
    return [_mean(history[day::_WEEK]) for day in range(_WEEK)]


def _spread(history: Sequence[Decimal], expected: Sequence[Decimal]) -> Decimal:
    """Standard deviation of the days around what would have been expected of them."""
    around = [(cost - expected[place % _WEEK]) ** 2 for place, cost in enumerate(history)]
    # Each mean that was fitted takes a degree of freedom, or short histories would look certain.
    fitted = len(set(expected)) if len(history) == HISTORY_DAYS else 1
    return (sum(around, Decimal(0)) / max(len(history) - fitted, 1)).sqrt()


def _mean(values: Sequence[Decimal]) -> Decimal:
    return sum(values, Decimal(0)) / len(values)


def _cut(amount: Decimal) -> Decimal:
    return amount.quantize(_DUST, ROUND_HALF_EVEN)
