"""The unit price that an invoice implies is held against the card of its days."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor_autopatch.job.pricing import find_drifts
from anchor_autopatch.job.pricing.implied import CardRate, InvoicedUnit, judge
from anchor_autopatch.job.rates import ContractTerms, set_rate
from anchor_autopatch.job.rates.contracts import OPEN_END
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import OCTOBER, bill
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
    return [*find_drifts(con, NOW, ONE)]


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
        # All of it in batches, which the line does not say.
        ("input", 10_000_000, "12.50"),
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
    named = ("openai", "2026-10", "O-1", "gpt-4o", "input", tier, OCTOBER)
    return InvoicedUnit(*named, Decimal(quantity), Decimal(amount))


AMOUNTS = st.decimals("0.01", "1000", places=2)


@given(st.integers(1, 10**9), AMOUNTS)
def test_price_of_the_card_itself_never_drifts(quantity, price):
    rates = [CardRate(False, "standard", price)]

    assert judge(unit(quantity, price * quantity), rates, ONE) is None


@given(AMOUNTS, st.decimals("1.02", "50", places=2), st.booleans())
def test_price_beyond_the_limit_always_drifts(price, factor, dearer):
    asked = price * factor if dearer else price / factor

    drift = judge(unit(1, asked), [CardRate(False, "standard", price)], ONE)

    assert drift is not None
    assert (drift.percent > 0) == dearer


def test_free_rate_has_no_share_to_be_off_by():
    assert judge(unit(10, 5), [CardRate(False, "standard", Decimal(0))], ONE) is None
