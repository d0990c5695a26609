"""A model that no card has is seen on the day of its first call: an incident, once for all."""

from __future__ import annotations

from datetime import timedelta

from anchor_autopatch.job.invoices.values import naive_utc
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import add, load_table, run
from tests.job.spend.support import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RATES = {"input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06}


def use(money, receipt_id="r1", at=NOW - HOUR, **fields):
    """One call, priced by a list that has gpt-4o alone."""
    with open_warehouse(money.home) as con:
        load_table(con, {"gpt-4o": RATES})
        add(con, receipt_id, occurred_at=naive_utc(at), **fields)
        run(con, at)


def test_first_call_of_a_model_without_a_rate_is_told_once(told, sink):
    use(told, request_model="gpt-99")
    told.look()
    use(told, "r2", NOW, request_model="gpt-99")
    told.look(NOW + timedelta(minutes=1))

    (message,) = [each.json for each in sink.received]
    assert message["title"] == "Nobody knows what gpt-99 of openai costs"
    assert message["incident"]["message"].startswith("1 call without a price (no card has this")
    assert told.incidents() == [("unpriced_model", "open", "gpt-99")]


def test_incident_of_a_model_that_got_its_rate_ends_a_day_later(money):
    use(money, request_model="gpt-99")
    money.look()
    with open_warehouse(money.home) as con:
        load_table(con, {"gpt-4o": RATES, "gpt-99": RATES}, seen=NOW)
        run(con, NOW)
    money.look(NOW + 20 * HOUR)
    meanwhile = money.incidents()
    money.look(NOW + 2 * DAY)

    assert meanwhile == [("unpriced_model", "open", "gpt-99")]
    assert money.incidents() == [("unpriced_model", "resolved", "gpt-99")]


def test_what_has_no_rate_beside_priced_tokens_is_told_by_its_meter(told, sink):
    use(told, facts={"searches": 2}, usage_shape="openai.chat")
    told.look()

    with open_warehouse(told.home) as con:
        found = con.execute("SELECT price_status, unpriced_meters FROM receipt_price").fetchone()
    assert found == ("priced", "searches")
    assert "(searches)" in sink.received[0].json["incident"]["message"]


def test_calls_that_no_rate_would_help_are_no_incident(money):
    use(money, "no usage", usage=None, usage_shape=None)
    use(money, "no provider", provider="unmapped", request_model="mystery")
    use(money, "no model", request_model=None)
    use(money, "priced")
    money.look()

    assert money.incidents() == []
