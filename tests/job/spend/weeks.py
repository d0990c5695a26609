"""Eight weeks of hourly spending of sixty made-up applications, and ways to find what is unusual.

Every application has a day and a week of its own size; around them the hours scatter lognormally
with a coefficient of variation of 0.35. Numbers here are floats: nobody is billed for them.
"""

from __future__ import annotations

import math
import random
from decimal import Decimal
from statistics import fmean, median, pstdev

from anchor_autopatch.core.policy.budgets import AnomalyRules
from anchor_autopatch.job.spend.anomalies import find_unusual

APPS = 60
WEEK = 168
HOURS = 8 * WEEK
JUDGED = range(4 * WEEK + 1, HOURS)
MONTH = 720
_SIGMA = math.sqrt(math.log(1 + 0.35**2))
_LONGEST_GAP = 3


def application(rng):
    """The cost of each hour in dollars; $50 in an hour of a weekday, on average."""
    return [
        50 * season(hour) * math.exp(rng.gauss(-(_SIGMA**2) / 2, _SIGMA)) for hour in range(HOURS)
    ]


def season(hour):
    day = 0.5 if hour // 24 % 7 >= 5 else 1
    return day * (1 + 0.6 * math.sin((hour - 8) / 24 * 2 * math.pi))


def by_z_score(costs, hours):
    """Above three standard deviations of the 24 hours before."""
    return [
        hour
        for hour in hours
        if costs[hour] > fmean(costs[hour - 24 : hour]) + 3 * pstdev(costs[hour - 24 : hour])
    ]


def by_hour_of_week(costs, hours):
    """The rule of incidents.md without its last condition: one hour is enough."""
    found = []
    for hour in hours:
        same = [costs[hour - week * WEEK + shift] for week in (1, 2, 3, 4) for shift in (-1, 0, 1)]
        usual = median(same)
        spread = 1.4826 * median(abs(each - usual) for each in same)
        if costs[hour] - usual > max(6 * spread, 10) and costs[hour] > 2 * usual:
            found.append(hour)
    return found


def by_us(costs, hours):
    """What the job does."""
    exact = {hour: Decimal(repr(cost)) for hour, cost in enumerate(costs)}
    return [finding.hour for finding in find_unusual(exact, hours, AnomalyRules())]


def incidents(hours):
    """How many incidents these hours are: what comes within three hours goes on."""
    return sum(
        hour - before > _LONGEST_GAP for before, hour in zip([-MONTH, *hours], hours, strict=False)
    )


def rates(find):
    """(false incidents per application and month, 3x for 6 h found, 2x for 48 h found)."""
    rng = random.Random(20261122)
    false, surge, climb = 0, 0, 0
    for _ in range(APPS):
        costs = application(rng)
        false += incidents(find(costs, JUDGED))
        start = 6 * WEEK + rng.randrange(WEEK)
        surge += _is_found(find, costs, range(start, start + 6), 3)
        climb += _is_found(find, costs, range(start, start + 48), 2)
    return false * MONTH / (APPS * len(JUDGED)), surge, climb


def _is_found(find, costs, hours, factor):
    grown = [cost * factor if hour in hours else cost for hour, cost in enumerate(costs)]
    return bool(find(grown, hours))
