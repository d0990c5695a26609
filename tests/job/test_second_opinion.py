"""`anchor prices diff --against genai-prices`: other prices, and what they come to in money."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal

import pytest

from anchor_autopatch.cli import main
from anchor_autopatch.job.pricing.second_opinion import CardRow, compare, disagreements
from anchor_autopatch.job.rates import ContractTerms, set_rate
from anchor_autopatch.job.rates.card import OPEN_BRACKET
from anchor_autopatch.job.rates.contracts import OPEN_END
from anchor_autopatch.job.rates.opinion import KnownModel, Rule, read_opinion
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import NOON, NOW, add, load_table, run

pytest.importorskip("genai_prices", reason="the extra second-opinion is not installed")

# genai-prices has 2 and 8 USD per million tokens, and 0.5 for cached ones.
O3 = {"input_cost_per_token": 3e-6, "output_cost_per_token": 8e-6}
CACHED = {"cache_read_input_token_cost": 0.5e-6}
CALL = {"provider": "openai", "request_model": "o3"}


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def told(comparison):
    return [(each.model_key, each.meter, each.quantity) for each in comparison.disagreements]


def test_other_price_comes_with_both_the_factor_and_the_money(con):
    load_table(con, {"o3": O3 | CACHED})
    add(con, **CALL)
    run(con)

    found = compare(con, read_opinion(), NOW)

    (each,) = [each for each in found.disagreements if each.meter == "input_tokens"]
    assert (each.card_usd, each.opinion_usd) == (Decimal("3e-6"), Decimal("2e-6"))
    assert (each.quantity, each.difference_usd) == (1000, Decimal("-0.001"))
    assert each.factor == Decimal(2) / 3
    assert found.difference_usd == Decimal("-0.001")


def test_models_that_only_one_list_has_are_counted(con):
    load_table(con, {"o3": O3 | CACHED, "house-model": O3})

    found = compare(con, read_opinion(), NOW)

    assert (found.compared_count, found.only_card_count) == (1, 1)
    assert found.only_opinion_count == len(read_opinion().model_ids()) - 1
    assert {each.model_key for each in found.disagreements} == {"o3"}


def test_calls_of_a_closed_month_or_a_contract_are_not_counted(con):
    load_table(con, {"o3": O3 | CACHED})
    first = datetime.fromisoformat("2026-11-10")
    rates = {"input": "3/1M", "output": "8/1M"}
    terms = ContractTerms("o3", "openai", rates, first, OPEN_END, "order form", "ann")
    set_rate(con, terms, replace=False, now=NOW)
    add(con, "by contract", occurred_at=datetime.fromisoformat("2026-11-11"), **CALL)
    add(con, "closed", occurred_at=datetime.fromisoformat("2026-09-11"), **CALL)
    run(con)
    freeze_september(con)

    found = compare(con, read_opinion(), NOW)

    assert ("o3", "input_tokens", 0) in told(found)
    assert found.difference_usd == 0


def freeze_september(con):
    con.execute(
        """INSERT INTO reconciliation BY NAME
           SELECT '2026-09' AS period, 'openai' AS provider, '' AS account, 'S-1' AS invoice_id,
               'USD' AS currency, 0 AS estimated_total_usd, false AS flagged, 'frozen' AS status,
               'showback' AS mode, TIMESTAMP '2026-10-05' AS reconciled_at"""
    )


def test_largest_amount_comes_first_and_ties_in_a_fixed_order(con):
    load_table(con, {"o3": O3 | CACHED, "o3-2025-04-16": O3 | CACHED})
    add(con, provider="openai", request_model="o3-2025-04-16")
    run(con)

    found = compare(con, read_opinion(), NOW).disagreements

    assert found[0][:2] == ("o3-2025-04-16", "input_tokens")
    assert [each[:5] for each in found[1:]] == sorted(each[:5] for each in found[1:])


def test_comparing_changes_nothing(con):
    load_table(con, {"o3": O3})
    add(con, **CALL)
    run(con)
    before = everything(con)

    compare(con, read_opinion(), NOW)

    assert everything(con) == before


def everything(con):
    tables = con.execute("SHOW TABLES").fetchall()
    held = ("rate_segment", "receipt_price", "pricing_run", "rate_start")
    return tables, [con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in held]


def card(**rates):
    exact = {meter: Decimal(usd) for meter, usd in rates.items()}
    return CardRow("m", "openai", 1, False, -1, OPEN_BRACKET, NOON, exact)


def opinion(**prices):
    steps = {
        meter: tuple((start, Decimal(usd)) for start, usd in each) for meter, each in prices.items()
    }
    return {"m": KnownModel("m", (Rule(None, None, steps),))}


def differing(row, known):
    return [
        (each.meter, each.above_tokens, each.card_usd, each.opinion_usd)
        for each in disagreements([row], known)
    ]


def test_bracket_that_only_the_other_list_has_is_compared_from_its_threshold():
    known = opinion(input_tokens=[(-1, "2"), (200_000, "4")])

    assert differing(card(input_tokens="2"), known) == [
        ("input_tokens", 200_000, Decimal(2), Decimal(4))
    ]


def test_price_that_the_card_lacks_is_told_and_has_no_factor():
    (each,) = disagreements([card()], opinion(pages=[(-1, "0.004")]))

    assert (each.card_usd, each.factor, each.opinion_usd) == (None, None, Decimal("0.004"))


def test_price_that_the_other_list_lacks_is_not_compared():
    row = card(input_tokens="2", cache_read_tokens="1")

    assert differing(row, opinion(input_tokens=[(-1, "2")])) == []


# As LiteLLM 1.109.1 has it: the price of the peak hours, and another one outside of them.
FLASH = {
    "litellm_provider": "deepseek",
    "input_cost_per_token": 3e-7,
    "output_cost_per_token": 1.2e-6,
    "cache_read_input_token_cost": 6e-9,
    "off_peak_pricing": {
        "input_cost_per_token": 1.5e-7,
        "output_cost_per_token": 6e-7,
        "cache_read_input_token_cost": 3e-9,
        "windows": [
            {
                "hours_utc": ["00:00-01:00", "04:00-06:00", "10:00-00:00"],
                "weekdays": [1, 2, 3, 4, 5],
            },
            {"hours_utc": "00:00-00:00", "weekdays": [6, 7]},
        ],
    },
}
SUNDAY = NOW.replace(hour=0)


@pytest.mark.parametrize(("hour", "differing"), [(5, set()), (2, {True})])
def test_rates_of_off_peak_hours_are_compared_in_those_hours(con, hour, differing):
    # genai-prices knows the peak hours from 01:00 to 04:00, but not that Sunday has none.
    load_table(con, {"deepseek/deepseek-v4-flash": FLASH})

    found = compare(con, read_opinion(), SUNDAY.replace(hour=hour))

    assert {each.off_peak for each in found.disagreements} == differing


@pytest.fixture
def prices(tmp_path, capsys):
    def run_command(*arguments):
        code = main(["prices", *arguments, "--home", str(tmp_path)])
        return (code, *capsys.readouterr())

    return run_command


def test_command_says_with_its_exit_code_whether_own_calls_are_concerned(prices, tmp_path):
    with open_warehouse(tmp_path) as con:
        load_table(con, {"o3": O3 | CACHED})
    before, quiet, _ = prices("diff", "--against", "genai-prices")
    with open_warehouse(tmp_path) as con:
        add(con, **CALL)
        run(con)

    after, out, _ = prices("diff", "--against", "genai-prices")

    assert (before, after) == (0, 1)
    assert "no other price for any call of open months" in quiet
    assert "0.6667" in out
    assert "would differ by -0.0010 USD" in out


def test_command_prints_every_price_as_json(prices, tmp_path):
    with open_warehouse(tmp_path) as con:
        load_table(con, {"o3": O3 | CACHED})

    code, out, _ = prices("diff", "--against", "genai-prices", "--json")

    found = json.loads(out)
    (each,) = [each for each in found["disagreements"] if each["meter"] == "input_tokens"]
    assert (code, found["compared_count"], each["model_id"]) == (0, 1, "o3")
    assert (each["card_usd"], Decimal(each["opinion_usd"])) == (
        "0.000003000000000000",
        Decimal("2e-6"),
    )


@pytest.mark.parametrize("flag", [("--since", "2026-10-01"), ("--sha256", "0" * 64)])
def test_flag_of_a_table_does_not_go_with_it(prices, flag):
    code, out, err = prices("diff", "--against", "genai-prices", *flag)

    assert (code, out) == (2, "")
    assert f"{flag[0]} is about a table" in err
