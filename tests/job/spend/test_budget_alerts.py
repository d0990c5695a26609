"""A budget is told of once a month and threshold, however many runs and calls there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from anchor_autopatch.job.incidents.actions import silence
from anchor_autopatch.job.incidents.store import Store
from anchor_autopatch.job.policy import find_policy
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.spend.support import NOW

HOUR = timedelta(hours=1)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


def titles(sink):
    return [each.json["title"] for each in sink.received]


def test_each_threshold_is_told_once_however_many_calls_follow(told, sink):
    told.budget()
    for step in range(12):
        told.cost(10)
        told.look(NOW + step * HOUR)

    kinds = [(each.json["kind"], each.json["incident"]["class"]) for each in sink.received]
    assert kinds == [("opened", "budget_threshold")] * 2 + [("opened", "budget_exceeded")]
    assert [title.split("@")[1] for title in titles(sink)] == [
        f"{share}% of 100 USD" for share in (50, 80, 100)
    ]


def test_next_month_is_told_of_anew(told, sink):
    told.budget(thresholds=[100])
    told.cost(100)
    told.look()
    told.cost(120, DECEMBER + HOUR)
    told.look(DECEMBER + timedelta(days=10))

    opened = [each.json["incident"] for each in sink.received if each.json["kind"] == "opened"]
    assert [each["code"] for each in opened if each["class"] == "budget_exceeded"] == [
        "search/2026-11@100% of 100 USD",
        "search/2026-12@100% of 100 USD",
    ]


def test_raised_budget_is_told_of_again_when_it_is_used_up_too(told, sink):
    told.budget(thresholds=[100])
    told.cost(100)
    told.look()
    told.config["budgets"][0]["amount"] = "150.00"
    told.look(NOW + HOUR)
    told.cost(50)
    told.look(NOW + 2 * HOUR)

    assert [title.split(" of ")[1] for title in titles(sink)] == ["100 USD", "150 USD"]


def test_the_same_amount_written_otherwise_is_the_same_budget(told, sink):
    told.budget(amount="100")
    told.cost(60)
    told.look()
    told.config["budgets"][0]["amount"] = "100.00"
    told.look(NOW + HOUR)

    assert len(sink.received) == 1


def test_budget_that_jumps_to_its_end_is_one_message(told, sink):
    told.budget()
    told.cost(250)
    told.look()

    assert titles(sink) == ["Budget used up: search/2026-11@100% of 100 USD"]


def test_nobody_is_reminded_of_a_budget(told, sink):
    told.budget()
    told.cost(60)
    for day in range(10):
        told.look(NOW + timedelta(days=day))

    assert len(sink.received) == 1


def test_threshold_stays_until_its_month_is_over(money):
    money.budget(thresholds=[50])
    money.cost(60)
    money.look()
    money.look(DECEMBER + timedelta(days=2))
    before = money.incidents()
    money.look(DECEMBER + timedelta(days=3, hours=1))

    assert [state for _, state, _ in before + money.incidents()] == ["open", "resolved"]


def test_last_hour_of_a_month_is_told_in_the_next(told, sink):
    told.budget(thresholds=[100])
    told.cost(100, DECEMBER - timedelta(minutes=1))
    told.look(DECEMBER + timedelta(minutes=7))

    assert "Budget used up: search/2026-11@100% of 100 USD" in titles(sink)


def test_silenced_budget_is_recorded_and_not_told(told, sink):
    told.budget()
    told.cost(100)
    with Store(told.home) as store:
        silence(store, "class=budget_exceeded", NOW + HOUR, "ana", "known", NOW)
    told.look()

    assert [each for each, _, _ in told.incidents()].count("budget_exceeded") == 1
    assert titles(sink) == []


def test_money_of_others_is_no_part_of_it(money):
    money.budget()
    money.cost(500, team="ads")
    money.cost(500, team=None)
    money.cost(500, NOW - timedelta(days=20))
    money.look()

    assert money.incidents() == []
    assert money.query("SELECT spent, status FROM budgets") == [(Decimal(0), "estimated")]


def test_scopes_are_all_meant_together(money):
    money.budget(environment="staging", provider="anthropic")
    money.budget(team=None, name="everything")
    money.cost(1, environment="staging", provider="anthropic")
    money.cost(2, environment="staging")
    money.cost(4, provider="anthropic")
    money.look()

    assert money.query("SELECT budget, spent FROM budgets ORDER BY ALL") == [
        ("everything", Decimal(7)),
        ("search/staging/anthropic", Decimal(1)),
    ]


def test_estimate_is_never_shown_as_invoiced(money):
    money.budget()
    money.invoiced(30)
    money.cost(25)
    money.look()

    assert money.query("SELECT spent, estimated_part, status, spent_percent FROM budgets") == [
        (Decimal(55), Decimal(25), "estimated", Decimal(55))
    ]


def test_invoiced_month_is_anchored(money):
    money.budget()
    money.invoiced(30)
    money.look()

    assert money.query("SELECT spent, estimated_part, status FROM budgets") == [
        (Decimal(30), Decimal(0), "anchored")
    ]


def test_estimate_in_another_currency_is_not_converted_by_guess(money):
    money.budget(currency="EUR")
    money.invoiced(30, currency="EUR")
    money.cost(25)
    money.look()

    columns = "spent, unconverted_usd, forecast_p50, burn"
    assert money.query(f"SELECT {columns} FROM budgets") == [(Decimal(30), Decimal(25), None, None)]


def test_call_without_a_price_is_counted_not_costed(money):
    money.budget()
    money.cost(None)
    money.cost(5)
    money.look()

    assert money.query("SELECT spent, unpriced_calls FROM budgets") == [(Decimal(5), 1)]


def test_budget_that_burns_is_told_once_a_day(told, sink):
    told.budget(amount=3000, thresholds=[100])
    for minutes in (1, 30, 59):
        told.cost(70, NOW - timedelta(minutes=minutes))
    told.look()
    told.look(NOW + timedelta(minutes=3))

    assert titles(sink) == ["Budget burns fast: search/2026-11@14.4x of 3000 USD"]
    assert sink.received[0].json["incident"]["severity"] == "critical"


def test_budget_that_will_not_last_is_a_warning_with_its_forecast(told, sink):
    told.budget(amount=3000, thresholds=[100])
    told.steady("5.5", NOW - timedelta(days=12))
    told.look()

    (message,) = [each.json["incident"] for each in sink.received]
    assert (message["class"], message["severity"]) == ("budget_pace", "warning")
    ((p50, p90),) = told.query("SELECT forecast_p50, forecast_p90 FROM budgets")
    assert 3900 < p50 <= p90 < 4100
    assert f"will end at {p50:,.2f} (est)" in message["message"]


def test_budget_of_a_wrong_line_is_left_out_and_the_others_watched(money):
    money.budget(amount="lots")
    money.budget(name="good")
    money.cost(60)
    money.look()

    assert [code for _, _, code in money.incidents()] == ["good/2026-11@50% of 100 USD"]


def test_run_says_that_a_budget_cannot_be_read(tmp_path):
    with open_warehouse(tmp_path) as con:
        (finding,) = find_policy(con, {"budgets": [{"team": "search", "amount": "lots"}]})

    assert finding.startswith("1 mistake in anchor.toml, the first in budgets.0.amount: 'lots'")


def test_budget_that_is_gone_is_gone_from_the_report(money):
    money.budget()
    money.cost(1)
    money.look()
    money.config.clear()
    money.look()

    assert money.query("SELECT count(*) FROM budgets") == [(0,)]
