"""Hours that cost far more than the same hour of the week usually does; pure.

Hours are numbered from 1970-01-01 00:00 UTC. Nobody called, nobody paid: an hour without a row
costs 0. Costs are exact; what has no price is in none of them and is counted beside.

The rule was chosen by simulation over z-scores and EWMA, which raise four times as many false
incidents because they know no seasons (docs/budgets.md has the table that tests/job/spend makes).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from anchor_autopatch.core.policy.budgets import AnomalyRules
from anchor_autopatch.job.spend.statistics import deviation, median

__all__ = ("HOURS_OF_HISTORY", "Finding", "find_unusual")

_DAY = 24
_WEEK = 7 * _DAY
_WEEKS = 4
HOURS_OF_HISTORY = _WEEKS * _WEEK + 1
"""How far back costs are looked at: four weeks, and the hour before the same one."""
# Of a normal distribution the median absolute deviation is the standard deviation by this
# (Rousseeuw and Croux, Alternatives to the Median Absolute Deviation, 1993).
_PER_SIGMA = Decimal("1.4826")
_NEIGHBOURS = (-1, 0, 1)
_FORGIVEN = 2
_AT_ONCE = 5
"""So many times the usual cost is told after one hour, not two."""
_DAY_RATIO = 3
"""Young series: so many times the cost of the 24 hours before."""
_DAY_MINIMUMS = 10
"""Young series: above it by so many times `minimum_usd`, which is a rule for an hour."""


class Finding(NamedTuple):
    """One hour that somebody is to know of."""

    hour: int
    """Hours since 1970-01-01 00:00 UTC."""
    cost: Decimal
    """Of the hour; of the 24 hours that end with it where `method` is `previous_day`."""
    expected: Decimal
    """Of the same span."""
    method: str
    """hour_of_week | previous_day."""


def find_unusual(
    costs: Mapping[int, Decimal], hours: range, rules: AnomalyRules
) -> Iterator[Finding]:
    """The unusual ones among `hours`, in their order.

    Args:
        costs: Hour -> cost of one series, from its first call on; reaches HOURS_OF_HISTORY further
            back than `hours` where the series is so old.
        hours: Whole hours, all of them over: half of an hour costs half.
        rules: What is unusual.
    """
    first = min(costs, default=None)
    for hour in hours:
        # Before its first call an application was not cheap, it was not there.
        if first is None or hour <= first:
            continue
        if hour - first < HOURS_OF_HISTORY:
            found = _against_previous_day(costs, hour, first, rules)
        else:
            found = _against_weeks(costs, hour, rules)
        if found is not None:
            yield found


def _against_weeks(costs: Mapping[int, Decimal], hour: int, rules: AnomalyRules) -> Finding | None:
    cost, usual = _cost(costs, hour), _usual(costs, hour)
    if not _is_unusual(costs, hour, rules):
        return None
    # One hour is often a batch; two in a row, or one that is out of all proportion, is not.
    if cost > _AT_ONCE * usual or _is_unusual(costs, hour - 1, rules):
        return Finding(hour, cost, usual, "hour_of_week")
    return None


def _is_unusual(costs: Mapping[int, Decimal], hour: int, rules: AnomalyRules) -> bool:
    cost = _cost(costs, hour)
    # Nearly every hour of a fleet ends here, before twelve others are looked up.
    if cost <= rules.minimum_usd:
        return False
    same = _same_hours(costs, hour)
    usual = median(same)
    spread = rules.deviations * _PER_SIGMA * deviation(same, usual)
    return (
        cost - usual > max(spread, rules.minimum_usd)
        and cost > rules.ratio * usual
        # A nightly batch that comes an hour later is none: its nights are among the neighbours. Two
        # of twelve may be higher, or one bad hour would hide the next for four weeks.
        and cost > sorted(same)[-1 - _FORGIVEN]
    )


def _usual(costs: Mapping[int, Decimal], hour: int) -> Decimal:
    return median(_same_hours(costs, hour))


def _same_hours(costs: Mapping[int, Decimal], hour: int) -> list[Decimal]:
    """The costs of the same hour of the week and its neighbours in the weeks before."""
    return [
        _cost(costs, hour - week * _WEEK + shift)
        for week in range(1, _WEEKS + 1)
        for shift in _NEIGHBOURS
    ]


def _against_previous_day(
    costs: Mapping[int, Decimal], hour: int, first: int, rules: AnomalyRules
) -> Finding | None:
    # Two whole days: without one to compare with, everything new would be unusual.
    if hour - first < 2 * _DAY:
        return None
    today, yesterday = _day(costs, hour), _day(costs, hour - _DAY)
    floor = _DAY_MINIMUMS * rules.minimum_usd
    if today > _DAY_RATIO * yesterday and today - yesterday > floor:
        return Finding(hour, today, yesterday, "previous_day")
    return None


def _day(costs: Mapping[int, Decimal], last: int) -> Decimal:
    return sum((_cost(costs, each) for each in range(last - _DAY + 1, last + 1)), Decimal(0))


def _cost(costs: Mapping[int, Decimal], hour: int) -> Decimal:
    return costs.get(hour, Decimal(0))
