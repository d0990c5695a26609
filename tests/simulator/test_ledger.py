"""What is billed, to whom, when and for how much."""

from __future__ import annotations

from decimal import Decimal

import pytest

from examples.provider_sim.client import SimulatorError
from tests.simulator.wire import CHAT, GENERATE, MESSAGES, get, post, saying


def test_default_usage_follows_the_documented_rule(simulator):
    text = "x" * 401  # 101 tokens; 101 modulo 9 is 2

    got = post(simulator.all, CHAT, saying(text)).json["usage"]

    assert (got["prompt_tokens"], got["completion_tokens"]) == (101, 10)


def test_equal_requests_have_equal_usage(simulator):
    usages = [post(simulator.all, CHAT, saying("hello")).json["usage"] for _ in range(3)]

    assert usages[0] == usages[1] == usages[2]


def test_row_says_who_asked_for_what(simulator):
    post(
        simulator.all, CHAT, saying("hi"), authorization="Bearer sk-1", openai_project="proj_search"
    )

    (row,) = simulator.ledger()
    assert row["project"] == "proj_search"
    assert row["api_key_id"].startswith("key_")
    assert "sk-1" not in str(row)
    assert (row["requested_model"], row["model"]) == ("gpt-4o", "gpt-4o-2024-08-06")


def test_ids_differ_between_requests(simulator):
    ids = {post(simulator.all, CHAT, saying("hi")).json["id"] for _ in range(20)}

    assert len(ids) == 20


def test_port_says_who_invoices(simulator):
    post(simulator.openai, CHAT, saying("hi"))
    post(simulator.gemini, "/v1beta/openai/chat/completions", saying("hi"))
    post(simulator.all, "/v1beta/openai/chat/completions", saying("hi"))

    assert [row["provider"] for row in simulator.ledger()] == ["openai", "gemini", "gemini"]


def test_amounts_are_exact_and_sum_up(simulator):
    usage = '{"prompt_tokens":3,"completion_tokens":1}'
    simulator.prices({"openai": {"gpt-4o*": {"input": "2.50", "output": "10"}}})

    post(simulator.all, CHAT, saying(f"[[sim usage={usage}]]"))

    (row,) = simulator.ledger()
    assert row["amounts_usd"] == {"input": "0.0000075", "output": "0.00001"}
    assert Decimal(row["amount_usd"]) == Decimal("0.0000175")


@pytest.mark.parametrize(("tier", "factor"), [("flex", "0.5"), ("priority", "2"), ("default", "1")])
def test_served_tier_changes_the_price(simulator, tier, factor):
    usage = '{"prompt_tokens":1000000,"completion_tokens":0}'

    post(simulator.all, CHAT, saying(f"[[sim usage={usage}]]", service_tier=tier))

    assert Decimal(simulator.ledger()[0]["amount_usd"]) == Decimal("2.5") * Decimal(factor)


@pytest.mark.parametrize(
    ("path", "usage", "meters"),
    [
        (
            CHAT,
            '{"prompt_tokens":100,"completion_tokens":9,"prompt_tokens_details":'
            '{"cached_tokens":40,"cache_write_tokens":20,"audio_tokens":10},'
            '"completion_tokens_details":{"reasoning_tokens":5,"audio_tokens":2}}',
            {
                "input": 30,
                "cached_input": 40,
                "cache_write": 20,
                "audio_input": 10,
                "output": 7,
                "audio_output": 2,
            },
        ),
        (
            MESSAGES,
            '{"input_tokens":1,"output_tokens":2,"cache_creation_input_tokens":4,'
            '"server_tool_use":{"web_search_requests":3}}',
            {
                "uncached_input_tokens": 1,
                "cache_creation.ephemeral_5m_input_tokens": 4,
                "output_tokens": 2,
                "web_search_requests": 3,
            },
        ),
        (
            GENERATE,
            '{"promptTokenCount":50,"candidatesTokenCount":1,"toolUsePromptTokenCount":6,'
            '"promptTokensDetails":[{"modality":"AUDIO","tokenCount":20}],'
            '"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":5}],'
            '"cachedContentTokenCount":5}',
            {
                "input_audio": 15,
                "input_text": 30,
                "cached_audio": 5,
                "output_text": 1,
                "input_tool_use": 6,
            },
        ),
    ],
)
def test_meters_are_disjoint(simulator, path, usage, meters):
    body = {**saying(f"[[sim usage={usage}]]", max_tokens=9), "contents": []}

    post(simulator.all, path, body)

    assert simulator.ledger()[0]["meters"] == meters


def test_clock_stamps_rows_and_answers(simulator):
    simulator.clock("2026-02-28T23:59:59Z")
    first = post(simulator.all, CHAT, saying("hi")).json
    simulator.clock(advance=2)
    post(simulator.all, CHAT, saying("hi"))

    stamps = [row["at"] for row in simulator.ledger()]
    assert stamps == ["2026-02-28T23:59:59Z", "2026-03-01T00:00:01Z"]
    assert first["created"] == 1772323199


@pytest.mark.parametrize("now", ["2026-02-28T23:59:59", "yesterday"])
def test_clock_wants_a_time_zone(simulator, now):
    with pytest.raises(SimulatorError, match="Clock not understood"):
        simulator.clock(now)


def test_ledger_can_be_narrowed_to_a_provider(simulator):
    post(simulator.all, CHAT, saying("hi"))
    post(simulator.all, GENERATE, {"contents": []})

    assert [row["provider"] for row in simulator.ledger("gemini")] == ["gemini"]


def test_wrong_prices_leave_the_list_alone(simulator):
    before = simulator.prices()

    with pytest.raises(SimulatorError, match="decimal prices"):
        simulator.prices({"openai": {"gpt-4o*": {"input": "cheap"}}})

    assert simulator.prices() == before


def test_unknown_path_is_told_by_name(simulator):
    got = post(simulator.all, "/v1/nonsense", {})

    assert got.status == 404
    assert "/v1/nonsense" in got.json["error"]["message"]
    assert get(simulator.all, "/v1/models").status == 200
