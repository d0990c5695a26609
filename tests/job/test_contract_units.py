"""Contracts on what is no token: each unit by its own term, fees beside the tokens of the list."""

from __future__ import annotations

from decimal import Decimal

import pytest

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.allocation import AllocationReport
from anchor_autopatch.job.findings import find
from anchor_autopatch.job.meters import measure
from anchor_autopatch.job.pricing import price
from anchor_autopatch.job.rates.contracts import OPEN_END, ContractTerms, set_rate
from anchor_autopatch.job.rates.terms import TERM_OF_METER, TERMS
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import NOON, NOW, add, cost, load_table, priced, run

LIST = {
    "input_cost_per_token": 1e-06,
    "output_cost_per_token": 5e-06,
    "search_context_cost_per_query": {"search_context_size_medium": 0.01},
}
NO_TOKENS = {"usage": {}, "usage_shape": "openai.chat"}


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        load_table(con, {"gpt-4o": LIST})
        yield con


def agree(con, model="own-model", **rates):
    day = NOON.replace(hour=0)
    terms = ContractTerms(model, "", rates, day, OPEN_END, "order form 4711", "ada")
    return set_rate(con, terms, replace=False, now=NOW)


@pytest.mark.parametrize(
    ("term", "rate", "facts", "expected"),
    [
        ("image", "0.04", {"images": 3}, "0.12"),
        ("second", "0.36/3600", {"seconds": 90.5}, "0.00905"),
        ("speech_second", "0.015/60", {"output_seconds": 90}, "0.0225"),
        ("video_second", "0.10", {"video_seconds": 8}, "0.80"),
        ("character", "15/1M", {"characters": 2000}, "0.03"),
        ("page", "1/1k", {"pages": 12}, "0.012"),
        ("query", "2/1k", {"queries": 5}, "0.01"),
    ],
)
def test_unit_is_billed_by_its_term(con, term, rate, facts, expected):
    agree(con, **{term: rate})
    add(con, request_model="own-model", facts=facts, **NO_TOKENS)

    run(con)

    assert priced(con) == ("priced", Decimal(expected))


@pytest.mark.parametrize(
    ("term", "rate", "facts", "expected"),
    [
        ("search", "5/1k", {"searches": 2}, "0.01"),
        ("search", "5/1k", {"searches": 2, "search_context_size": "high"}, "0.01"),
        ("map_query", "14/1k", {"map_queries": 3}, "0.042"),
        ("file_search", "2.50/1k", {"file_searches": 4}, "0.01"),
        ("session", "0.03", {"sessions": 1}, "0.03"),
    ],
)
def test_fee_of_a_contract_comes_on_top_of_listed_tokens(con, term, rate, facts, expected):
    agree(con, model="gpt-4o", **{term: rate})
    add(con, facts=facts)

    run(con)

    # 1000 tokens in and 200 out cost 0.002 by the list.
    assert priced(con) == ("priced", Decimal("0.002") + Decimal(expected))


def test_pictures_that_are_shown_have_a_rate_of_their_own(con):
    agree(con, input_image="0.001", input="1/1M", output="5/1M")
    add(con, request_model="own-model", facts={"input_images": 2})

    run(con)

    assert cost(con) == Decimal("0.004")


def test_seconds_of_two_kinds_in_one_contract_are_refused(con):
    with pytest.raises(ConfigError, match="--second and --video-second are of different kinds"):
        agree(con, second="0.01", video_second="0.10")


def test_every_meter_that_a_finding_may_name_has_a_term(con):
    assert set(TERM_OF_METER.values()) <= set(TERMS)
    columns = "SELECT column_name FROM duckdb_columns() WHERE table_name = 'rate'"
    named = {name for (name,) in con.execute(columns).fetchall() if name.endswith("s_usd")}
    # Rates of seconds are kept by the millisecond.
    meters = {name.removesuffix("_usd").replace("_ms", "_seconds") for name in named}
    # Lists alone bill by the pixel; what is rarer than these has the rate of what it is a kind of.
    unnamed = {"pixels", "cache_read_audio_tokens", "output_video_tokens"}
    unnamed |= {"cache_write_30m_tokens", "cache_write_12h_tokens"}

    assert meters - set(TERM_OF_METER) <= unnamed


def test_finding_names_the_term_of_what_has_no_rate(con):
    add(con, request_model="studio-9", facts={"video_seconds": 8}, **NO_TOKENS)
    measured = measure(con, NOW)
    price(con, NOW)

    (finding,) = find(con, measured, AllocationReport(()), (), ())

    assert "anchor prices set studio-9 --provider openai --video-second PRICE" in finding
