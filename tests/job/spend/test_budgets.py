"""How a budget stands is a matter of its figures and of `now` alone."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor_autopatch.core.policy.budgets import Budget
from anchor_autopatch.job.spend.budgets import (
    BURNS,
    burning,
    crossed,
    forecast,
    month_of,
    percent_of,
)

BUDGET = Budget("search", Decimal(3000), "USD")
# A month of thirty days: its even pace is $100 a day.
NOW = datetime(2026, 11, 11, tzinfo=UTC)
NOVEMBER = month_of(NOW)
WINDOWS = {span for burn in BURNS for span in (burn.long, burn.short)}
amounts = st.decimals(0, 10**6, places=6)
days = st.lists(amounts, min_size=3, max_size=40)


def paces(times):
    """The cost of each window at so many times the even pace."""
    return {
        span: Decimal(100) * Decimal(times) * (span // timedelta(seconds=1)) / 86400
        for span in WINDOWS
    }


@pytest.mark.parametrize(
    ("instant", "label", "length"),
    [
        ("2026-12-31T23:59:59.999999+00:00", "2026-12", 31),
        ("2028-02-01T00:00:00+00:00", "2028-02", 29),
        ("2026-11-30T20:00:00-05:00", "2026-12", 31),
    ],
)
def test_month_is_that_of_the_instant_in_utc(instant, label, length):
    month = month_of(datetime.fromisoformat(instant))

    assert (month.label, (month.end - month.start).days) == (label, length)


@pytest.mark.parametrize(
    ("spent", "expected"),
    [
        ("1499.999999999", ()),
        ("1500", (50,)),
        ("2400", (50, 80)),
        ("2999.999999999999999999", (50, 80)),
        ("3000", (50, 80, 100)),
        ("-5", ()),
    ],
)
def test_threshold_is_reached_to_the_last_digit(spent, expected):
    assert crossed(BUDGET, Decimal(spent)) == expected


@given(amounts, amounts)
def test_who_spends_more_has_crossed_no_fewer_thresholds(one, more):
    assert set(crossed(BUDGET, one)) <= set(crossed(BUDGET, one + more))


def test_share_of_a_budget_is_rounded_only_to_be_shown():
    assert percent_of(Decimal(1), Decimal(3)) == Decimal("33.333333")


@pytest.mark.parametrize(
    ("times", "spent", "expected"),
    [
        ("14.5", 1000, "14.4x"),
        ("14.4", 1000, "6x"),
        ("6.1", 1000, "6x"),
        ("1.5", 1000, "1x"),
        ("1", 1000, None),
        # Faster than even, and yet the month ends below the budget.
        ("1.2", 500, None),
    ],
)
def test_pace_counts_where_the_month_would_end_above_the_budget(times, spent, expected):
    burn = burning(BUDGET, NOVEMBER, Decimal(spent), paces(times), NOW)

    assert (burn and burn.name) == expected


def test_spike_that_is_over_burns_no_more():
    over = paces(20) | {burn.short: Decimal(0) for burn in BURNS}

    assert burning(BUDGET, NOVEMBER, Decimal(1000), over, NOW) is None


def test_forecast_of_even_days_is_exact_and_certain():
    made = forecast([Decimal(100)] * 28, NOVEMBER, Decimal(1000), NOW)

    assert made == (Decimal(3000), Decimal(3000), 28)


def test_what_is_left_of_today_is_a_part_of_a_day():
    noon = NOW + timedelta(hours=12)

    made = forecast([Decimal(100)] * 28, NOVEMBER, Decimal(1050), noon)

    assert made.p50 == Decimal(3000)


def test_weekends_are_expected_to_be_weekends():
    # The 28 days before Wednesday, 11 November; twenty days to come, of which six are weekend.
    history = [Decimal(10 if (NOW - timedelta(days=back)).weekday() >= 5 else 100)
               for back in range(28, 0, -1)]  # fmt: skip

    made = forecast(history, NOVEMBER, Decimal(0), NOW)

    assert made == (Decimal(14 * 100 + 6 * 10), Decimal(14 * 100 + 6 * 10), 28)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_forecast_of_next_to_nothing_is_none(count):
    assert forecast([Decimal(5)] * count, NOVEMBER, Decimal(5), NOW) is None


@given(days, amounts)
def test_forecast_is_never_below_what_is_spent(history, spent):
    made = forecast(history, NOVEMBER, spent, NOW)

    assert spent <= made.p50 <= made.p90


@given(days, amounts)
def test_forecast_at_the_last_instant_is_what_was_spent(history, spent):
    last = NOVEMBER.end - timedelta(microseconds=1)

    made = forecast(history, NOVEMBER, spent, last)

    assert abs(made.p50 - spent) < 1


def test_p90_holds_in_nine_months_of_ten():
    rng = random.Random(7)
    held = 0
    for _ in range(400):
        history, coming = (
            [Decimal(repr(rng.gauss(100, 20))) for _ in range(count)] for count in (28, 20)
        )
        held += sum(coming) <= forecast(history, NOVEMBER, Decimal(0), NOW).p90

    assert 340 <= held <= 385
