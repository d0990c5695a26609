"""Contract rates are typed by a person, audited, and outrank the list while they last."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.rates.contracts import OPEN_END, ContractTerms, set_rate
from anchor_autopatch.job.rates.terms import parse_rate
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import NOW, add, cost, load_table, priced, run

FIRST = datetime.fromisoformat("2026-11-01")
TENTH = datetime.fromisoformat("2026-11-10")
LIST = {"gpt-4o": {"input_cost_per_token": 0.001, "output_cost_per_token": 0}}


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        load_table(con, LIST)
        yield con


def agree(con, *, replace=False, start=FIRST, end=OPEN_END, provider="", model="gpt-4o", **rates):
    """Enters a contract; rates default to 0.50 USD per thousand input tokens."""
    typed = rates or {"input": "0.5/1k"}
    terms = ContractTerms(model, provider, typed, start, end, "order form 4711", "ada")
    return set_rate(con, terms, replace=replace, now=NOW)


@pytest.mark.parametrize(
    ("day", "expected"),
    [("2026-10-31", "1"), ("2026-11-01", "0.5"), ("2026-11-09", "0.5"), ("2026-11-10", "1")],
    ids=["day before", "first day", "last day", "day after"],
)
def test_contract_outranks_the_list_while_it_lasts(con, day, expected):
    agree(con, end=TENTH)
    add(con, occurred_at=datetime.fromisoformat(f"{day}T12:00"))

    run(con)

    assert cost(con) == Decimal(expected)


def test_contract_reprices_what_was_priced_before(con):
    add(con)
    run(con)

    agree(con)
    run(con)

    assert cost(con) == Decimal("0.5")


def test_priced_receipt_names_the_contract_card(con):
    report = agree(con)
    add(con)

    run(con)

    row = con.execute("SELECT rate_card_id, resolution_rule FROM receipt_price").fetchone()
    assert row == (report.rate_card_id, "contract")


def test_contract_with_one_provider_leaves_others_alone(con):
    agree(con, provider="azure")
    add(con)

    run(con)

    assert cost(con) == 1


def test_contract_prices_a_model_that_no_list_has(con):
    agree(con, model="in-house", input="1/1k")
    add(con, request_model="In-House")

    run(con)

    assert priced(con) == ("priced", 1)


def test_contract_per_image_prices_calls_that_report_tokens(con):
    agree(con, model="painter", image="0.04")
    usage = {"input_tokens": 10, "output_tokens": 1000, "total_tokens": 1010}
    add(con, request_model="painter", usage=usage, usage_shape="openai.images", facts={"images": 3})

    run(con)

    assert cost(con) == Decimal("0.12")


def test_overlap_is_refused_with_its_dates(con):
    agree(con, end=TENTH)

    with pytest.raises(ConfigError, match=r"2026-11-01 to 2026-11-10.*--replace"):
        agree(con, input="0.4/1k", start=TENTH - timedelta(days=1))


def test_adjoining_contracts_do_not_overlap(con):
    agree(con, end=TENTH)

    assert agree(con, input="0.4/1k", start=TENTH).is_new


def test_replacing_ends_the_earlier_contract(con):
    agree(con)
    agree(con, input="0.4/1k", start=TENTH, replace=True)
    add(con, "before", occurred_at=TENTH - timedelta(seconds=1))
    add(con, "after", occurred_at=TENTH)

    run(con)

    assert (cost(con, "before"), cost(con, "after")) == (Decimal("0.5"), Decimal("0.4"))


def test_same_contract_twice_is_one(con):
    agree(con)

    assert not agree(con).is_new
    assert con.execute("SELECT COUNT(*) FROM contract_rate").fetchone() == (1,)


def test_contract_is_audited(con):
    agree(con, input="0.5/1k")

    row = con.execute("SELECT terms, reason, actor, recorded_at FROM contract_rate").fetchone()

    assert row == ('{"input": "0.5/1k"}', "order form 4711", "ada", NOW.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.50/1M", "0.0000025"),
        ("$10 / 1m", "0.00001"),
        ("3/1k", "0.003"),
        ("0.04", "0.04"),
        (".5/1000", "0.0005"),
        ("0", "0"),
    ],
)
def test_rate_is_read_exactly(text, expected):
    assert parse_rate(text) == Decimal(expected)


@pytest.mark.parametrize("text", ["", "abc", "-1", "1/0", "1e-6", "2,50/1M", "1/1G", "NaN", "250"])
def test_text_that_is_no_rate_is_refused(text):
    with pytest.raises(ConfigError):
        parse_rate(text)


@pytest.mark.parametrize("typed", ["2.50", "0.05", "10/1k"])
def test_price_of_a_million_for_one_token_is_refused(con, typed):
    terms = ContractTerms("gpt-4o", "", {"output": typed}, FIRST, OPEN_END, "order form", "ada")

    with pytest.raises(ConfigError, match=f"did you mean {typed}/1M"):
        set_rate(con, terms, replace=False, now=NOW)


def test_image_may_cost_more_than_a_token(con):
    terms = ContractTerms("gpt-image-1", "", {"image": "0.25"}, FIRST, OPEN_END, "form", "ada")

    assert set_rate(con, terms, replace=False, now=NOW).is_new


def test_empty_period_and_missing_reason_are_refused(con):
    with pytest.raises(ConfigError, match="empty"):
        agree(con, start=TENTH, end=FIRST)
    terms = ContractTerms("gpt-4o", "", {"input": "1/1M"}, FIRST, OPEN_END, "  ", "ada")
    with pytest.raises(ConfigError, match="--reason"):
        set_rate(con, terms, replace=False, now=NOW)


PRICED_APART = {
    "input_cost_per_token": 0.004,
    "output_cost_per_token": 0.008,
    "cache_read_input_token_cost": 0.0004,
    "output_cost_per_reasoning_token": 0.009,
    "input_cost_per_token_priority": 0.02,
    "cache_read_input_token_cost_priority": 0.001,
    "input_cost_per_token_above_200k_tokens": 0.006,
    "output_cost_per_token_above_200k_tokens": 0.01,
}
USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 400},
    "completion_tokens_details": {"reasoning_tokens": 50},
}


def lines(con):
    sql = "SELECT meter, unit_price_usd FROM usage_line ORDER BY meter"
    return dict(con.execute(sql).fetchall())


@pytest.fixture
def rich(tmp_path):
    with open_warehouse(tmp_path) as con:
        load_table(con, {"gpt-4o": PRICED_APART})
        yield con


def test_contract_leaves_the_meters_that_it_does_not_name_to_the_list(rich):
    agree(rich, input="1/1k", output="2/1k")
    add(rich, usage=USAGE)

    run(rich)

    assert lines(rich) == {
        "input_tokens": Decimal("0.001"),
        "cache_read_tokens": Decimal("0.0004"),
        "output_tokens": Decimal("0.002"),
        # What a model thinks is output: the contract covers it.
        "output_reasoning_tokens": Decimal("0.002"),
    }


def test_contract_price_of_a_priced_receipt_names_the_contract(rich):
    report = agree(rich, input="1/1k")
    add(rich, usage=USAGE)

    run(rich)

    assert rich.execute("SELECT rate_card_id FROM receipt_price").fetchall() == [
        (report.rate_card_id,)
    ]


@pytest.mark.parametrize(
    ("facts", "prompt"), [({"service_tier": "priority"}, 1000), ({}, 300_000)], ids=["tier", "long"]
)
def test_named_rate_holds_in_every_tier_and_bracket(rich, facts, prompt):
    agree(rich, input="1/1k")
    usage = {"prompt_tokens": prompt, "completion_tokens": 0, "total_tokens": prompt}
    add(rich, usage=usage, facts=facts)

    run(rich)

    assert cost(rich) == Decimal(prompt) / 1000


def test_other_meters_keep_their_tier(rich):
    agree(rich, input="1/1k")
    add(rich, usage=USAGE, facts={"service_tier": "priority"})

    run(rich)

    assert lines(rich)["cache_read_tokens"] == Decimal("0.001")


def test_list_under_a_contract_may_change(rich):
    cheaper = PRICED_APART | {"cache_read_input_token_cost": 0.0001}
    agree(rich, input="1/1k")
    load_table(rich, {"gpt-4o": cheaper}, seen=NOW + timedelta(days=10))
    add(rich, "before", usage=USAGE)
    add(rich, "after", usage=USAGE, occurred_at=TENTH + timedelta(days=30))

    run(rich)

    assert cost(rich, "before") - cost(rich, "after") == 400 * Decimal("0.0003")


def test_contract_on_images_stands_alone(rich):
    agree(rich, image="0.04")
    add(rich, usage=USAGE, facts={"images": 2})

    run(rich)

    assert cost(rich) == Decimal("0.08")
