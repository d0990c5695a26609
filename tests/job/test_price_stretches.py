"""Receipts are priced in stretches of rows: where one ends changes no price, none is left out."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import product

import pytest

from anchor_autopatch.job.pricing import prices
from anchor_autopatch.job.rates.contracts import ContractTerms, set_rate
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import CHAT, NOW, add, load_table, priced, run

RATES = {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}
IMAGE = {"output_cost_per_image": 0.04, "litellm_provider": "openai", "mode": "image_generation"}
BRACKET = {"input_cost_per_token_above_200k_tokens": 4e-06}
TIERS = {"input_cost_per_token_priority": 3e-06, "output_cost_per_token_flex": 1e-06}
SEARCH = {"search_context_cost_per_query": {"search_context_size_medium": 0.01}}
MODELS = {
    "gpt-4o": RATES | TIERS,
    "no-output": {"input_cost_per_token": 1e-06},
    "free": {"input_cost_per_token": 0, "output_cost_per_token": 0},
    "stepped": RATES | BRACKET | {"cache_read_input_token_cost": 1e-07},
    "searching": RATES | SEARCH | {"output_cost_per_reasoning_token": 5e-06},
}
FIRST, TENTH = datetime.fromisoformat("2026-11-01"), datetime.fromisoformat("2026-11-10")
SHORT = timedelta(microseconds=1)
PRICES = "SELECT * EXCLUDE (priced_at) FROM receipt_price ORDER BY receipt_id"


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        models = {"gpt-4o": RATES, "gpt-4o-mini": {"input_cost_per_token": 5e-07}}
        load_table(con, models | {"1024-x-1024/dall-e-3": IMAGE})
        yield con


@pytest.fixture
def short(monkeypatch):
    """Stretches of four receipts, which begin and end at every second row, none over a gap."""
    monkeypatch.setattr(prices, "_STEP", 2)
    monkeypatch.setattr(prices, "_STRETCH", 4)
    monkeypatch.setattr(prices, "_GAP", 1)


def add_mixed(con):
    models = ("gpt-4o", "gpt-4o-mini", "nobody-knows")
    # Ids that do not follow the order of rows, as those of several processes do.
    for number in range(13):
        add(con, f"r{number * 7 % 13:02d}", request_model=models[number % 3])
    size = {"size": "1024x1024", "images": 2}
    image = {"usage_shape": "openai.images", "usage": None, "facts": size, "operation": "images"}
    add(con, "picture", request_model="dall-e-3", **image)


def test_where_a_stretch_ends_changes_no_price(con, short, monkeypatch):
    add_mixed(con)
    run(con)
    in_stretches = con.execute(PRICES).fetchall()

    monkeypatch.undo()
    con.execute("DELETE FROM receipt_price")
    con.execute("DELETE FROM pricing_run")
    run(con)

    assert len(in_stretches) == 14
    assert con.execute(PRICES).fetchall() == in_stretches


def test_old_receipts_without_a_price_are_priced_beside_new_ones(con, short):
    add_mixed(con)
    run(con)
    con.execute("DELETE FROM receipt_price WHERE receipt_id IN ('r00', 'r05', 'picture')")
    con.execute("DELETE FROM pricing_run")

    report = run(con)

    assert (report.receipt_count, report.changed_count) == (14, 3)
    assert con.execute("SELECT COUNT(*) FROM receipt_price").fetchone() == (14,)


def test_image_priced_by_its_size_is_found_in_any_stretch(con, short):
    add_mixed(con)

    run(con)

    assert priced(con, "picture") == ("priced", Decimal("0.08"))


def add_unlike(con):
    """Calls of many kinds of models, tiers and quantities, before, at and after a contract."""
    details = [{}, {"cached_tokens": 300}, {"audio_tokens": 20}]
    outputs = [{}, {"reasoning_tokens": 70}]
    facts = [{"service_tier": tier} for tier in ("default", "priority", "flex", "unheard-of")]
    facts += [{}, {"searches": 2}, {"searches": 1, "search_context": "high"}]
    instants = (FIRST - SHORT, FIRST, TENTH - SHORT, TENTH)
    calls = product(MODELS, details, outputs, facts)
    for number, (model, detail, output, fact) in enumerate(calls):
        prompt = (0, 900, 250_001)[number % 3]
        usage = CHAT | {"prompt_tokens": prompt, "total_tokens": prompt + 200}
        usage |= {"prompt_tokens_details": detail, "completion_tokens_details": output}
        at = instants[number % 4]
        add(con, f"u{number}", request_model=model, usage=usage, facts=fact, occurred_at=at)


def test_usual_calls_cost_the_same_by_the_statement_for_the_rest(con, monkeypatch):
    load_table(con, MODELS)
    terms = ContractTerms("gpt-4o", "", {"input": "0.5/1k"}, FIRST, TENTH, "order form", "ada")
    set_rate(con, terms, replace=False, now=NOW)
    add_unlike(con)
    run(con)
    usual = con.execute(PRICES).fetchall()

    sql = load("pricing/costs")
    monkeypatch.setitem(sql, "spread_rates", f"{sql['spread_rates'].rstrip(';')} LIMIT 0")
    con.execute("DELETE FROM receipt_price")
    con.execute("DELETE FROM pricing_run")
    run(con)

    assert len({price[1:] for price in usual}) > 30
    assert con.execute(PRICES).fetchall() == usual
