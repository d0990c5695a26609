"""What few calls use has a meter by name, and what has no rate is named, never $0."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pytest

from anchor_autopatch.job.meters import read_meters
from anchor_autopatch.job.publish import publish
from anchor_autopatch.job.rates import sync_installed
from anchor_autopatch.job.rates.contracts import ContractTerms, set_rate
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import NOW, add, load_table, run

GPT = {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05}
GUARDRAIL = {"contentPolicyUnits": 1000, "topicPolicyUnits": 0, "automatedReasoningPolicies": 3}
CACHE = {"totalTokenCount": 1000}
# Reported by Groq's compound system, shortened.
BREAKDOWN = json.dumps(
    {
        "models": [
            {"model": "llama-3.3-70b", "usage": {"prompt_tokens": 700, "completion_tokens": 150}},
            {"model": "llama-3.3-70b", "usage": {"prompt_tokens": 300, "completion_tokens": 50}},
        ]
    }
)

CASES = {
    "guardrail: text units by policy, not the number of policies": (
        "bedrock.guardrail",
        GUARDRAIL,
        {},
        {"guardrail_content_policy_units": 1000},
    ),
    "guardrail checks: nested text units": (
        "bedrock.guardrail",
        {"contentFilter": {"textUnits": 2}, "promptAttack": {"textUnits": 3}},
        {},
        {"guardrail_content_filter_text_units": 2, "guardrail_prompt_attack_text_units": 3},
    ),
    "training": ("openai.fine_tuning", {"trained_tokens": 12}, {}, {"training_tokens": 12}),
    "cache: tokens x the time that was asked for": (
        "gemini.cached_content",
        CACHE,
        {"ttl": "300s"},
        {"cache_storage_token_seconds": 300_000},
    ),
    "cache: tokens x the time that was granted": (
        "gemini.cached_content",
        CACHE,
        {
            "ttl": "300s",
            "createTime": "2026-11-01T10:00:00.123456789Z",
            "expireTime": "2026-11-01T11:30:00.123456789Z",
        },
        {"cache_storage_token_seconds": 5_400_000},
    ),
    "cache: an hour where nobody said": (
        "gemini.cached_content",
        CACHE,
        {},
        {"cache_storage_token_seconds": 3_600_000},
    ),
    "anthropic: an advisor is another model": (
        "anthropic.messages",
        {
            "input_tokens": 10,
            "output_tokens": 5,
            "iterations": [
                {"type": "message", "input_tokens": 10, "output_tokens": 5},
                {"type": "advisor_message", "input_tokens": 40, "output_tokens": 2},
            ],
        },
        {},
        {"other_model_tokens": 42},
    ),
    "openai: pictures inside a response are another model's": (
        "openai.responses",
        {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
        {"tool_usage": {"image_gen": {"input_tokens": 30, "output_tokens": 200}}},
        {"other_model_tokens": 230},
    ),
    "openai: code that a response ran": (
        "openai.responses",
        {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
        {"code_interpreter_calls": 2},
        {"code_interpreter_calls": 2},
    ),
    "perplexity: citations": (
        "openai.chat",
        {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "citation_tokens": 9},
        {},
        {"citation_tokens": 9},
    ),
    "cohere: classifications": (
        "cohere.billed_units",
        {"billed_units": {"classifications": 4}},
        {},
        {"classifications": 4},
    ),
    "mistral: connectors": (
        "openai.chat",
        {"prompt_tokens": 1, "total_tokens": 1, "connectors": {"web_search": 2, "code": 1}},
        {},
        {"connector_calls": 3},
    ),
    "xai: runs of code": (
        "openai.chat",
        {
            "prompt_tokens": 1,
            "total_tokens": 1,
            "server_side_tool_usage_details": {"code_interpreter_calls": 2, "mcp_calls": 9},
        },
        {},
        {"code_executions": 2},
    ),
    "plain chat has none": (
        "openai.chat",
        {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        {},
        None,
    ),
}


@pytest.mark.parametrize(("shape", "usage", "facts", "expected"), CASES.values(), ids=CASES)
def test_quantity_has_a_meter_of_its_own(shape, usage, facts, expected):
    meters = read_meters(shape, usage, facts)

    assert (meters.rare_meters, meters.usage_mismatch) == (expected, False)


@pytest.mark.parametrize(
    ("usage", "facts", "searches"),
    [
        ({"server_tool_use_details": {"web_search_requests": 2}}, {}, 2),
        ({"server_side_tool_usage_details": {"web_search_calls": 2, "x_search_calls": 1}}, {}, 3),
        ({"num_search_queries": 4}, {}, 4),
        ({"grounding_tool_count": [{"type": "google_search", "count": 5}]}, {}, 5),
        ({}, {"tool_usage": {"web_search": {"num_requests": 6}}}, 6),
        ({}, {}, None),
    ],
)
def test_searches_are_counted_wherever_they_are_told(usage, facts, searches):
    assert read_meters("openai.chat", {"prompt_tokens": 1, **usage}, facts).searches == searches


def test_call_that_asked_several_models_is_unpriced_by_name():
    usage = {"gpt-5": {"total_tokens": 30}, "o3": {"total_tokens": 12}}

    assert read_meters(None, usage, {}).rare_meters == {"other_model_tokens": 42}


def test_itemised_cost_is_its_total():
    usage = {"prompt_tokens": 1, "cost": {"total_cost": Decimal("0.006"), "request_cost": 1}}

    assert read_meters("openai.chat", usage, {}).provider_cost_usd == Decimal("0.006")


def test_system_of_one_model_is_priced_as_that_model():
    usage = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}

    meters = read_meters("openai.chat", usage, {"usage_breakdown": BREAKDOWN})

    assert (meters.served_model, meters.usage_mismatch) == ("llama-3.3-70b", False)


def test_breakdown_that_does_not_sum_up_is_flagged():
    usage = {"prompt_tokens": 999, "completion_tokens": 200, "total_tokens": 1199}

    assert read_meters("openai.chat", usage, {"usage_breakdown": BREAKDOWN}).usage_mismatch


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def priced(con, receipt_id="r1"):
    """(status, cost, meters without a rate) of one receipt."""
    sql = (
        "SELECT price_status, estimated_cost_usd, unpriced_meters FROM receipt_price"
        " WHERE receipt_id = ?"
    )
    return con.execute(sql, [receipt_id]).fetchone()


def guardrail(con, **usage):
    fields = {"provider": "bedrock", "operation": "guardrail", "request_model": None}
    add(con, usage=usage, usage_shape="bedrock.guardrail", **fields)


def test_guardrail_costs_what_the_installed_list_says(con):
    sync_installed(con, NOW)
    guardrail(con, contentPolicyUnits=1000, contextualGroundingPolicyUnits=10, wordPolicyUnits=5)

    run(con)

    assert priced(con) == ("priced", Decimal("0.151"), None)


def test_guardrail_units_of_free_policies_are_zero_rated(con):
    sync_installed(con, NOW)
    guardrail(con, wordPolicyUnits=5)

    run(con)

    assert priced(con) == ("zero_rated", Decimal(0), None)


def test_policy_that_no_list_knows_is_unpriced_by_name(con):
    sync_installed(con, NOW)
    guardrail(con, contentPolicyUnits=1000, futurePolicyUnits=1)

    run(con)

    assert priced(con) == ("priced", Decimal("0.15"), "guardrail_future_policy_units")


def train(con):
    add(
        con,
        operation="fine_tuning",
        usage={"trained_tokens": 2_000_000},
        usage_shape="openai.fine_tuning",
    )


def test_training_is_unpriced_by_name_not_priced_as_chat(con):
    load_table(con, {"gpt-4o": GPT})
    train(con)

    run(con)

    assert priced(con) == ("unpriced", None, "training_tokens")


def test_training_has_contracts_of_its_own(con):
    load_table(con, {"gpt-4o": GPT})
    train(con)
    add(con, "chat")
    terms = ContractTerms(
        "training/gpt-4o",
        "openai",
        {"training": "25/1M"},
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
        "price page",
        "ada",
    )

    set_rate(con, terms, replace=False, now=NOW)
    run(con)

    assert priced(con) == ("priced", Decimal(50), None)
    assert priced(con, "chat") == ("priced", Decimal("0.0045"), None)


def make_cache(con):
    shape = {"usage_shape": "gemini.cached_content", "operation": "cache_creation"}
    facts = {"ttl": "3600s"}
    add(con, provider="gemini", request_model="gemini-x", usage=CACHE, facts=facts, **shape)


def test_stored_cache_is_unpriced_beside_a_priced_prompt(con):
    load_table(con, {"gemini/gemini-x": GPT | {"litellm_provider": "gemini"}})
    make_cache(con)

    run(con)

    assert priced(con) == ("priced", Decimal("0.0025"), "cache_storage_token_seconds")
    lines = con.execute("SELECT meter, quantity::BIGINT, unit, cost_usd FROM usage_line").fetchall()
    assert lines == [
        ("input_tokens", 1000, "token", Decimal("0.0025")),
        ("cache_storage_token_seconds", 3_600_000, "token-second", None),
    ]


def test_stored_cache_costs_what_is_agreed_for_an_hour(con):
    terms = ContractTerms(
        "gemini-x",
        "gemini",
        {"input": "2.50/1M", "output": "10/1M", "cache_storage": "1.00/1M"},
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
        "price page",
        "ada",
    )
    set_rate(con, terms, replace=False, now=NOW)
    make_cache(con)

    run(con)

    status, cost, unpriced = priced(con)
    assert (status, unpriced) == ("priced", None)
    assert abs(cost - Decimal("0.0035")) < Decimal("1e-11")


def test_faster_hardware_is_not_priced_as_standard(con):
    load_table(con, {"gpt-4o": GPT})
    add(con, facts={"latency": "optimized"})
    add(con, "standard", facts={"latency": "standard"})

    run(con)

    assert priced(con) == ("unpriced", None, "input_tokens, output_tokens")
    assert priced(con, "standard")[0] == "priced"
    reason = "SELECT unpriced_reason FROM receipt_price WHERE receipt_id = 'r1'"
    assert con.execute(reason).fetchone() == (
        "the card has no rates for the tier latency_optimized",
    )


def test_search_without_a_rate_is_named(con):
    load_table(con, {"gpt-4o": GPT})
    add(con, facts={"searches": 2})

    run(con)

    assert priced(con) == ("priced", Decimal("0.0045"), "searches")


@pytest.mark.parametrize(
    ("fields", "facts"),
    [
        ({"output_cost_per_image": 0.04, "mode": "image_generation"}, {"images": 2}),
        ({**GPT}, {"images": 2, "size": "1024x1024"}),
    ],
)
def test_tokens_and_units_are_two_measures_of_one_thing(con, fields, facts):
    load_table(con, {"gpt-4o": fields})
    add(con, facts=facts)

    run(con)

    assert (priced(con)[0], priced(con)[2]) == ("priced", None)


def test_report_lists_what_has_no_rate(con, tmp_path):
    load_table(con, {"gpt-4o": GPT})
    add(con, facts={"searches": 2})
    run(con)

    with duckdb.connect(str(publish(con, tmp_path, NOW)), read_only=True) as report:
        listed = report.execute("SELECT unpriced_meters, calls FROM unpriced_models").fetchall()
        assert listed == [("searches", 1)]
        assert report.execute("SELECT unpriced_meters FROM receipts").fetchall() == [("searches",)]


VIDEO = {
    "mode": "video_generation",
    "output_cost_per_second": 0.4,
    "output_cost_per_second_1080p": 0.5,
    "output_cost_per_second_4k": 0.6,
}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, 4),
        ({"video_resolution": "720p"}, 4),
        ({"video_resolution": "1080p"}, 5),
        ({"video_resolution": "VIDEO_RESOLUTION_4K"}, 6),
        ({"size": "1920x1080"}, 5),
    ],
)
def test_video_costs_by_its_resolution(con, facts, expected):
    load_table(con, {"gpt-4o": VIDEO})
    add(con, usage=None, usage_shape=None, facts={"video_seconds": 10, **facts})

    run(con)

    assert priced(con) == ("priced", Decimal(expected), None)
    assert con.execute("SELECT meter, cost_usd FROM usage_line").fetchall() == [
        ("video_seconds", Decimal(expected))
    ]


@pytest.mark.parametrize(("size", "expected"), [("1280x720", 3), ("1792x1024", 5)])
def test_larger_video_is_listed_as_a_model_of_its_own(con, size, expected):
    rates = {"sora-2-pro": 0.3, "sora-2-pro-high-res": 0.5}
    plain = {"mode": "video_generation"}
    load_table(con, {key: plain | {"output_cost_per_second": usd} for key, usd in rates.items()})
    asked = {"usage": None, "usage_shape": None, "request_model": "sora-2-pro"}
    add(con, facts={"video_seconds": 10, "size": size}, **asked)

    run(con)

    assert priced(con) == ("priced", Decimal(expected), None)
