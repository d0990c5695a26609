"""Receipts are priced by the card of their instant, in SQL, and a run can be repeated."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import CHAT, NOON, NOW, add, cost, load_table, priced, run

GPT_4O = {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05}


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def test_chat_costs_input_plus_output(con):
    load_table(con, {"gpt-4o": GPT_4O})
    add(con)

    run(con)

    assert priced(con) == ("priced", Decimal("0.004500000000000000"))


def test_cached_tokens_cost_the_cache_rate(con):
    load_table(con, {"gpt-4o": GPT_4O | {"cache_read_input_token_cost": 1.25e-06}})
    add(con, usage=CHAT | {"prompt_tokens_details": {"cached_tokens": 400}})

    run(con)

    assert cost(con) == Decimal("0.004")


def test_unknown_model_is_unpriced_not_free(con):
    load_table(con, {"gpt-4o": GPT_4O})
    add(con, request_model="gpt-99")

    run(con)

    assert priced(con) == ("unpriced", None)


def test_unpriced_models_say_why(con):
    load_table(con, {"gpt-4o": GPT_4O})
    add(con, "unknown", request_model="gpt-99")
    add(con, "unmapped", request_model="mystery", provider="unmapped")
    add(con, "absent", usage=None, usage_shape=None)
    add(con, "nameless", request_model=None)

    run(con)

    sql = "SELECT receipt_id, unpriced_reason FROM receipt_price ORDER BY receipt_id"
    assert con.execute(sql).fetchall() == [
        ("absent", "no usage was seen"),
        ("nameless", "the receipt names no model"),
        ("unknown", "no card has this model"),
        ("unmapped", "nobody said who invoices this host"),
    ]


def test_explicit_zero_is_zero_rated(con):
    load_table(con, {"gpt-4o": {"input_cost_per_token": 0, "output_cost_per_token": 0}})
    add(con)

    run(con)

    assert priced(con) == ("zero_rated", 0)


def test_dated_snapshot_without_rates_takes_its_alias(con):
    load_table(con, {"gpt-4o": GPT_4O})
    add(con, response_model="gpt-4o-2099-01-01")

    run(con)

    assert priced(con) == ("priced_by_alias", Decimal("0.0045"))


def test_served_model_is_priced_not_the_requested_one(con):
    load_table(con, {"gpt-4o": GPT_4O, "gpt-4o-mini": {"input_cost_per_token": 1e-06}})
    add(con, request_model="gpt-4o", response_model="gpt-4o-mini")

    run(con)

    assert cost(con) == Decimal("0.001")


def test_model_that_bills_by_nothing_used_is_unpriced(con):
    load_table(con, {"gpt-4o": {"mode": "image_generation", "output_cost_per_image": 0.04}})
    add(con)

    run(con)

    assert priced(con) == ("unpriced", None)


def test_provider_reported_cost_fills_in_for_a_missing_rate(con):
    load_table(con, {"gpt-4o": GPT_4O})
    add(con, request_model="gpt-99", facts={"cost": 0.125})

    run(con)

    assert priced(con) == ("provider_reported", Decimal("0.125"))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [(200_000, "0.2"), (200_001, "0.400002")],
    ids=["at the threshold", "above it"],
)
def test_long_prompt_bills_the_whole_call_at_the_higher_rate(con, prompt, expected):
    rates = {"input_cost_per_token": 1e-06, "input_cost_per_token_above_200k_tokens": 2e-06}
    load_table(con, {"gpt-4o": rates})
    add(con, usage={"prompt_tokens": prompt, "completion_tokens": 0, "total_tokens": prompt})

    run(con)

    assert cost(con) == Decimal(expected)


@pytest.mark.parametrize(
    ("tier", "expected"),
    [("flex", "0.5"), ("priority", "2"), ("fast", "2"), ("default", "1"), ("auto", "1")],
)
def test_served_tier_selects_the_rate(con, tier, expected):
    rates = {
        "input_cost_per_token": 0.001,
        "input_cost_per_token_flex": 0.0005,
        "input_cost_per_token_priority": 0.002,
    }
    load_table(con, {"gpt-4o": rates})
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000}
    add(con, usage=usage, facts={"service_tier": tier})

    run(con)

    assert cost(con) == Decimal(expected)


def test_batch_without_published_rates_costs_half(con):
    load_table(con, {"gpt-4o": GPT_4O})
    add(con, facts={"batch": True})

    run(con)

    assert cost(con) == Decimal("0.00225")


@pytest.mark.parametrize(
    ("hour", "expected"),
    [(2, "0.001"), (4, "0.0005"), (23, "0.0005")],
    ids=["peak", "window starts", "wraps past midnight"],
)
def test_off_peak_hours_have_their_own_rates(con, hour, expected):
    rates = {
        "input_cost_per_token": 1e-06,
        "off_peak_pricing": {
            "input_cost_per_token": 5e-07,
            "hours_utc": ["04:00-05:00", "23:00-01:00"],
        },
    }
    load_table(con, {"gpt-4o": rates})
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000}
    add(con, usage=usage, occurred_at=NOON.replace(hour=hour))

    run(con)

    assert cost(con) == Decimal(expected)


def test_searches_of_a_grounded_prompt_bill_once(con):
    rates = {
        "litellm_provider": "gemini",
        "input_cost_per_token": 1e-06,
        "search_context_cost_per_query": {"search_context_size_medium": 0.035},
    }
    load_table(con, {"gemini/gemini-2.5-flash": rates})
    named = {"provider": "gemini", "request_model": "models/gemini-2.5-flash"}
    usage = {"promptTokenCount": 1000, "totalTokenCount": 1000}
    shape = "gemini.generate_content"
    add(con, usage=usage, usage_shape=shape, facts={"searches": 3}, **named)
    add(con, "r2", usage=usage, usage_shape=shape, **named)

    run(con)

    assert (cost(con), cost(con, "r2")) == (Decimal("0.036"), Decimal("0.001"))


def test_images_bill_by_token_where_the_list_does(con):
    rates = {"mode": "image_generation", "output_cost_per_image": 0.04}
    load_table(con, {"by-token": rates | {"output_cost_per_image_token": 3e-05}, "each": rates})
    usage = {"input_tokens": 0, "output_tokens": 1000, "total_tokens": 1000}
    shape = {"usage": usage, "usage_shape": "openai.images", "facts": {"images": 2}}
    add(con, "tokens", request_model="by-token", **shape)
    add(con, "images", request_model="each", **shape)

    run(con)

    assert (cost(con, "tokens"), cost(con, "images")) == (Decimal("0.03"), Decimal("0.08"))


def test_seconds_and_characters_have_their_rates(con):
    whisper = {"mode": "audio_transcription", "input_cost_per_second": 0.0001}
    speech = {"mode": "audio_speech", "input_cost_per_character": 1.5e-05}
    load_table(con, {"whisper-1": whisper, "tts-1": speech})
    heard = {"type": "duration", "seconds": 12.5}
    add(con, "heard", request_model="whisper-1", usage=heard, usage_shape="openai.transcription")
    add(con, "spoken", request_model="tts-1", usage=None, facts={"characters": 120})

    run(con)

    assert (cost(con, "heard"), cost(con, "spoken")) == (Decimal("0.00125"), Decimal("0.0018"))


def test_usage_lines_sum_to_the_receipt(con):
    load_table(con, {"gpt-4o": GPT_4O | {"cache_read_input_token_cost": 1.25e-06}})
    add(con, usage=CHAT | {"prompt_tokens_details": {"cached_tokens": 400}})

    run(con)

    sql = "SELECT meter, quantity, unit, cost_usd FROM usage_line ORDER BY meter"
    assert con.execute(sql).fetchall() == [
        ("cache_read_tokens", 400, "token", Decimal("0.0005")),
        ("input_tokens", 600, "token", Decimal("0.0015")),
        ("output_tokens", 200, "token", Decimal("0.002")),
    ]


def test_price_that_is_not_the_sum_of_its_lines_is_refused(con):
    load_table(con, {"gpt-4o": GPT_4O})
    add(con)
    con.execute(
        "CREATE OR REPLACE MACRO usage_entry(meter, quantity, unit, unit_usd) AS {'meter': meter, "
        "'quantity': quantity, 'unit': unit, 'unit_price_usd': unit_usd, 'cost_usd': 7}"
    )

    with pytest.raises(StoreError, match="not the sum"):
        run(con)

    assert con.execute("SELECT COUNT(*) FROM receipt_price").fetchone() == (0,)


def test_second_run_changes_nothing(con):
    load_table(con, {"gpt-4o": GPT_4O})
    add(con)
    run(con)
    before = con.execute("SELECT * FROM receipt_price").fetchall()

    report = run(con, NOW + timedelta(days=1))

    assert report.changed_count == 0
    assert con.execute("SELECT * FROM receipt_price").fetchall() == before


def test_receipt_that_is_not_billable_has_no_price(con):
    load_table(con, {"gpt-4o": GPT_4O})
    add(con, billable=False)

    run(con)

    assert con.execute("SELECT COUNT(*) FROM receipt_price").fetchone() == (0,)


def test_new_rates_reprice_open_periods_only(con):
    load_table(con, {"other": GPT_4O})
    add(con, "closed", occurred_at=NOON - timedelta(days=31))
    add(con, "open")
    run(con)

    load_table(con, {"gpt-4o": GPT_4O}, seen=NOW + timedelta(days=1))
    run(con, open_from=NOON.replace(day=1, hour=0))

    assert (cost(con, "closed"), cost(con, "open")) == (None, Decimal("0.0045"))


def test_unmapped_receipt_is_priced_by_its_own_name_as_an_alias(con):
    load_table(con, {"gpt-4o": GPT_4O})
    add(con, provider="unmapped")

    run(con)

    assert priced(con) == ("priced_by_alias", Decimal("0.0045"))


def test_deployment_is_priced_once_somebody_says_what_it_is(con):
    load_table(con, {"azure/gpt-4o": {"litellm_provider": "azure", "input_cost_per_token": 0.001}})
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000}
    add(con, provider="azure", request_model="chat-prod", usage=usage)
    run(con)
    before = cost(con)

    run(con, models={"chat-prod": "gpt-4o"})

    assert (before, cost(con)) == (None, Decimal(1))


def test_receipt_that_becomes_billable_later_is_priced_then(con):
    load_table(con, {"gpt-4o": {"input_cost_per_token": 0.001, "output_cost_per_token": 0}})
    days = timedelta(days=3)
    add(con, billable=False)
    run(con)
    add(con, "other", shipped_at=NOW + days)
    run(con, NOW + days)
    before = con.execute("SELECT count(*) FROM receipt_price WHERE receipt_id = 'r1'").fetchone()

    con.execute(
        "INSERT INTO settlement (receipt_id, occurred_at, is_billed, has_submitter, settled_at) "
        "VALUES ('r1', ?, true, false, ?)",
        [NOON, NOW + 2 * days],
    )
    run(con, NOW + 2 * days)

    assert (before, cost(con)) == ((0,), Decimal(1))


def test_receipt_of_a_clock_that_was_taken_before_waiting_is_priced(con):
    load_table(con, {"gpt-4o": {"input_cost_per_token": 0.001, "output_cost_per_token": 0}})
    add(con, "first")
    run(con)

    add(con, shipped_at=NOW - timedelta(minutes=30))
    run(con, NOW + timedelta(minutes=1))

    assert cost(con) == Decimal(1)
