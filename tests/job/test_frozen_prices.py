"""A frozen month keeps its prices to the byte; what new rates would change is proposed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from anchor_autopatch.job.pricing import find_prices
from anchor_autopatch.job.rates import ContractTerms, set_rate
from anchor_autopatch.job.rates.contracts import OPEN_END
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import NOON, NOW, add, cost, load_table, run

LATER = NOW + timedelta(days=1)
DEAR = {"gpt-4o": {"input_cost_per_token": 5e-6, "output_cost_per_token": 1e-5}}
CHEAP = {"gpt-4o": {"input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6}}
FREEZE = """
    INSERT INTO reconciliation (
        period, provider, account, currency, estimated_total_usd, flagged, status, mode,
        reconciled_at
    )
    VALUES (?, 'openai', '', 'USD', 0, false, 'frozen', 'chargeback', ?)
"""


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def freeze(con, period="2026-11"):
    con.execute(FREEZE, [period, NOW])


def rows(con):
    """All that the month's prices consist of."""
    tables = ("receipt_meters", "receipt_price", "usage_line")
    return [con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in tables]


def proposals(con):
    sql = "SELECT receipt_id, period, frozen_cost_usd, proposed_cost_usd FROM price_proposal"
    return con.execute(sql).fetchall()


def contract(con, start, end=OPEN_END):
    rates = {"input": "1/1M", "output": "2/1M"}
    terms = ContractTerms("gpt-4o", "openai", rates, start, end, "order form", "ann")
    set_rate(con, terms, replace=False, now=LATER)


def test_new_table_leaves_a_frozen_month_as_it_was(con):
    load_table(con, DEAR)
    add(con)
    run(con)
    freeze(con)
    before = rows(con)

    load_table(con, CHEAP, seen=NOON - timedelta(days=1), now=LATER)
    run(con, LATER)

    assert rows(con) == before


def test_cheaper_rates_become_a_proposal(con):
    load_table(con, DEAR)
    add(con)
    run(con)
    freeze(con)

    load_table(con, CHEAP, seen=NOON - timedelta(days=1), now=LATER)
    report = run(con, LATER)

    was = Decimal("0.007")
    assert report.proposed_count == 1
    assert proposals(con) == [("r1", "2026-11", was, Decimal("0.0018"))]


def test_proposals_are_findings_of_their_month(con):
    load_table(con, DEAR)
    add(con)
    run(con)
    freeze(con)
    load_table(con, CHEAP, seen=NOON - timedelta(days=1), now=LATER)
    run(con, LATER)

    (finding,) = find_prices(con)

    assert "2026-11 is frozen" in finding
    assert "-0.01 USD" in finding


def test_open_months_are_priced_anew_beside_a_frozen_one(con):
    load_table(con, DEAR)
    add(con, "frozen", occurred_at=NOON - timedelta(days=31))
    add(con, "open")
    run(con)
    freeze(con, "2026-10")

    contract(con, NOON - timedelta(days=60))
    run(con, LATER)

    assert (cost(con, "frozen"), cost(con, "open")) == (Decimal("0.007"), Decimal("0.0014"))
    assert [row[0] for row in proposals(con)] == ["frozen"]


def test_rates_of_another_time_propose_nothing(con):
    load_table(con, DEAR)
    add(con)
    run(con)
    freeze(con)

    contract(con, NOON + timedelta(days=1))
    run(con, LATER)

    assert proposals(con) == []


def test_proposal_goes_when_the_rates_return(con):
    load_table(con, DEAR)
    add(con)
    run(con)
    freeze(con)
    contract(con, NOON - timedelta(days=1), NOON + timedelta(days=1))
    run(con, LATER)

    con.execute(
        "UPDATE rate_segment SET superseded_at = ? WHERE source = 'contract'",
        [LATER + timedelta(hours=1)],
    )
    report = run(con, LATER + timedelta(hours=2))

    assert report.proposed_count == 0


def test_model_that_gets_its_first_rate_is_proposed(con):
    load_table(con, {"other": DEAR["gpt-4o"]})
    add(con)
    run(con)
    freeze(con)

    load_table(con, DEAR, seen=LATER, now=LATER)
    run(con, LATER)

    assert cost(con) is None
    assert proposals(con) == [("r1", "2026-11", None, Decimal("0.007"))]


def test_late_receipt_of_a_frozen_month_is_priced(con):
    load_table(con, DEAR)
    freeze(con)
    add(con)

    run(con)

    assert cost(con) == Decimal("0.007")


def test_new_reading_rules_leave_frozen_meters(con):
    load_table(con, DEAR)
    add(con)
    run(con)
    freeze(con)
    con.execute("UPDATE receipt_meters SET meter_version = 1, input_tokens = 999")
    before = rows(con)

    run(con, LATER)

    assert rows(con) == before
