"""The unit price that an invoice implies is held against the card of its days."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor_autopatch.job.pricing import find_drifts, hold_against_cards
from anchor_autopatch.job.pricing.implied import CardRate, InvoicedUnit, judge
from anchor_autopatch.job.rates import ContractTerms, set_rate
from anchor_autopatch.job.rates.contracts import OPEN_END
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import OCTOBER, allocate, bill
from tests.job.priced import NOW, load_table

HEADER = "invoice_id,provider,period,model,meter,quantity,amount,currency"
RATES = {
    "input_cost_per_token": 2.5e-06,
    "output_cost_per_token": 1e-05,
    "cache_read_input_token_cost": 1.25e-06,
    "input_cost_per_token_batches": 1.25e-06,
    "input_cost_per_token_above_200k_tokens": 5e-06,
    "search_context_cost_per_query": {"search_context_size_medium": 0.01},
}
ONE = Decimal(1)


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        heard = {"input_cost_per_second": 0.0001, "mode": "audio_transcription"}
        load_table(con, {"gpt-4o": RATES, "whisper": heard})
        yield con


def invoiced(con, folder, meter, quantity, amount, model="gpt-4o"):
    row = f"O-1,openai,2026-10,{model},{meter},{quantity},{amount},USD"
    bill(con, folder, row, header=HEADER)
    return [*find_drifts(hold_against_cards(con, NOW, ONE))]


def test_price_that_the_card_does_not_have_is_named_with_the_mend(con, tmp_path):
    (finding,) = invoiced(con, tmp_path, "input", 10_000_000, "12.00", model="gpt-4o-2024-08-06")

    assert "input of 'gpt-4o-2024-08-06' is invoiced at 1.2/1M USD" in finding
    assert "the card of those days says 2.5/1M (-52.0 %)" in finding
    assert (
        "anchor prices set gpt-4o-2024-08-06 --provider openai --input 1.2/1M --from 2026-10-01"
        in finding
    )


@pytest.mark.parametrize(
    ("meter", "quantity", "amount"),
    [
        ("input", 10_000_000, "25.00"),
        ("input", 10_000_000, "25.20"),
        # Some of it above the bracket, and some below.
        ("input", 10_000_000, "37.00"),
        # All of it in batches, which the line does not say; then half of it.
        ("input", 10_000_000, "12.50"),
        ("input", 10_000_000, "18.75"),
        ("cache_read", 8_000_000, "10.00"),
        ("web_search", 100, "1.00"),
        # Not in words that a rate answers to.
        ("provisioned", 3, "999.00"),
    ],
)
def test_price_that_some_card_explains_is_no_finding(con, tmp_path, meter, quantity, amount):
    assert invoiced(con, tmp_path, meter, quantity, amount) == []


def test_seconds_are_held_against_a_rate_per_second(con, tmp_path):
    (finding,) = invoiced(con, tmp_path, "seconds", 36_000, "7.20", "whisper")

    assert "invoiced at 200/1M USD, the card of those days says 100/1M (+100.0 %)" in finding


def test_card_of_the_month_counts_not_that_of_today(con, tmp_path):
    cheaper = RATES | {"input_cost_per_token": 1.2e-06, "input_cost_per_token_batches": 6e-07}
    tomorrow = NOW + timedelta(days=1)
    load_table(con, {"gpt-4o": cheaper}, seen=tomorrow, now=tomorrow)

    (finding,) = invoiced(con, tmp_path, "input", 10_000_000, "12.00")

    assert "says 2.5/1M" in finding


def test_contract_explains_its_price(con, tmp_path):
    rates = {"input": "1.20/1M"}
    first = OCTOBER.replace(day=1, hour=0)
    terms = ContractTerms("gpt-4o", "openai", rates, first, OPEN_END, "order form", "ada")
    set_rate(con, terms, replace=False, now=NOW)

    assert invoiced(con, tmp_path, "input", 10_000_000, "12.00") == []


def test_model_that_no_card_has_is_left_to_the_unpriced(con, tmp_path):
    assert invoiced(con, tmp_path, "input", 10_000_000, "12.00", model="gpt-99") == []


def unit(quantity, amount, tier=""):
    named = ("openai", "", "2026-10", "O-1", "gpt-4o", "input", tier)
    return InvoicedUnit(*named, OCTOBER, NOW, Decimal(quantity), Decimal(amount))


AMOUNTS = st.decimals("0.01", "1000", places=2)


@given(st.integers(1, 10**9), AMOUNTS)
def test_price_of_the_card_itself_never_drifts(quantity, price):
    rates = [CardRate(False, "standard", price)]

    assert not judge(unit(quantity, price * quantity), rates, ONE).flagged


@given(AMOUNTS, st.decimals("1.02", "50", places=2), st.booleans())
def test_price_beyond_the_limit_always_drifts(price, factor, dearer):
    asked = price * factor if dearer else price / factor

    implied = judge(unit(1, asked), [CardRate(False, "standard", price)], ONE)

    assert (implied.flagged, implied.card_usd) == (True, price)
    assert (implied.ratio > 1) == dearer


def test_free_rate_has_no_share_to_be_off_by():
    implied = judge(unit(10, 5), [CardRate(False, "standard", Decimal(0))], ONE)

    assert (implied.flagged, implied.card_usd, implied.ratio) == (False, 0, None)


TIERS = [
    CardRate(False, tier, Decimal(usd))
    for tier, usd in (("standard", 10), ("batch", 5), ("flex", 3), ("priority", 20))
]


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_line_without_a_tier_may_add_up_batches_and_other_calls(batched, others):
    asked = Decimal(5 * batched + 10 * others)

    assert not judge(unit(batched + others, asked), TIERS, ONE).flagged


@pytest.mark.parametrize(
    ("tier", "asked", "flagged"),
    [
        ("", "7.5", False),
        ("standard", "7.5", True),
        ("batch", "7.5", True),
        ("", "3", False),
        ("", "4", True),
        ("", "20", False),
        ("", "15", True),
    ],
)
def test_only_batches_are_mixed_and_only_where_no_tier_is_named(tier, asked, flagged):
    assert judge(unit(1, asked, tier), TIERS, ONE).flagged is flagged


def rows_of(con):
    sql = """SELECT model, meter, quantity, invoiced_usd, implied_unit_price_usd,
                 card_unit_price_usd, ratio, flagged
             FROM implied_unit_price ORDER BY ALL"""
    return con.execute(sql).fetchall()


def test_every_implied_price_is_kept_beside_the_card(con, tmp_path):
    bill(
        con,
        tmp_path,
        "O-1,openai,2026-10,gpt-4o,input,10000000,12.00,USD",
        "O-1,openai,2026-10,gpt-4o,output,1000000,10.00,USD",
        "O-1,openai,2026-10,gpt-99,input,1000000,3.00,USD",
        header=HEADER,
    )

    hold_against_cards(con, NOW, ONE)

    assert rows_of(con) == [
        (
            "gpt-4o",
            "input",
            10_000_000,
            12,
            Decimal("1.2e-6"),
            Decimal("2.5e-6"),
            Decimal("0.48"),
            True,
        ),
        ("gpt-4o", "output", 1_000_000, 10, Decimal("1e-5"), Decimal("1e-5"), 1, False),
        ("gpt-99", "input", 1_000_000, 3, Decimal("3e-6"), None, None, False),
    ]


def test_rows_of_a_frozen_period_stay_as_they_were(con, tmp_path):
    invoiced(con, tmp_path, "input", 10_000_000, "12.00")
    before = rows_of(con)
    allocate(con)
    con.execute("UPDATE reconciliation SET status = 'frozen'")
    cheaper = {"gpt-4o": RATES | {"input_cost_per_token": 1.2e-06}}
    load_table(con, cheaper, seen=OCTOBER.replace(tzinfo=NOW.tzinfo), now=NOW)

    assert hold_against_cards(con, NOW, ONE) == []

    assert len(before) == 1
    assert rows_of(con) == before


def test_running_again_keeps_each_row_once(con, tmp_path):
    invoiced(con, tmp_path, "input", 10_000_000, "12.00")
    before = rows_of(con)

    hold_against_cards(con, NOW + timedelta(days=1), ONE)

    assert rows_of(con) == before
