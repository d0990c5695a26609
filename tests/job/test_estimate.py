"""Token counts that nobody told are estimated from the length of the texts, and called that."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor_autopatch.job.meters import read_meters
from anchor_autopatch.job.publish import publish
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import NOW, add, load_table, run

SEEN = {"sent_characters": 401, "seen_characters": 90, "seen_chunks": 12}
STARTED = {"input_tokens": 25, "cache_read_input_tokens": 100}
GPT_4O = {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05}
counts = st.integers(min_value=0, max_value=10_000_000)


def tokens(meters):
    return meters.input_tokens, meters.output_tokens, meters.total_tokens


def test_both_sides_are_estimated_where_nothing_was_told():
    meters = read_meters(None, None, SEEN)

    assert tokens(meters) == (101, 23, 124)
    assert meters.prompt_tokens == 101
    assert meters.estimated_meters == "input_tokens, output_tokens"


def test_a_chunk_is_a_token_at_least():
    assert read_meters(None, None, SEEN | {"seen_chunks": 60}).output_tokens == 60


def test_chunks_alone_estimate_the_output():
    meters = read_meters(None, None, {"seen_chunks": 7})

    assert (meters.input_tokens, meters.output_tokens) == (None, 7)
    assert meters.estimated_meters == "output_tokens"


def test_told_side_is_never_touched():
    meters = read_meters("anthropic.messages", STARTED, SEEN)

    # Claude's tokens are shorter: 90 / 3.5, rounded up.
    assert (meters.input_tokens, meters.cache_read_tokens, meters.output_tokens) == (25, 100, 26)
    assert (meters.estimated_meters, meters.prompt_tokens) == ("output_tokens", 125)
    assert meters.total_tokens == 151


@pytest.mark.parametrize(
    ("shape", "usage"),
    [
        ("gemini.generate_content", {"promptTokenCount": 9, "candidatesTokenCount": 4}),
        ("openai.chat", {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}),
    ],
)
def test_what_was_told_so_far_stands(shape, usage):
    meters = read_meters(shape, usage, SEEN)

    assert (meters.input_tokens, meters.output_tokens, meters.estimated_meters) == (9, 4, None)


def test_without_evidence_unknown_stays_unknown():
    meters = read_meters(None, None, {"service_tier": "default"})

    assert tokens(meters) == (None, None, None)
    assert meters.estimated_meters is None


@given(sent=counts, seen=counts, chunks=counts)
def test_an_estimate_is_whole_tokens_of_four_characters(sent, seen, chunks):
    facts = {"sent_characters": sent, "seen_characters": seen, "seen_chunks": chunks}

    meters = read_meters(None, None, facts)

    assert 0 <= meters.input_tokens * 4 - sent < 4
    assert meters.output_tokens == max(-(-seen // 4), chunks)
    assert meters.total_tokens == meters.input_tokens + meters.output_tokens


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def test_estimated_tokens_are_priced_and_told_apart(con, tmp_path):
    load_table(con, {"gpt-4o": GPT_4O})
    add(con, usage=None, usage_shape=None, usage_source="estimated", facts=SEEN)

    run(con)
    path = publish(con, tmp_path, NOW)

    with duckdb.connect(str(path), read_only=True) as report:
        told = report.execute(
            "SELECT usage_source, raw_usage, estimated_meters, estimated_cost_usd FROM receipts"
        ).fetchall()
        lines = report.execute(
            "SELECT meter, quantity, is_estimated FROM usage_lines ORDER BY meter"
        ).fetchall()
    cost = 101 * Decimal("2.5e-06") + 23 * Decimal("1e-05")
    assert told == [("estimated", None, "input_tokens, output_tokens", cost)]
    assert lines == [("input_tokens", 101, True), ("output_tokens", 23, True)]


def test_only_what_is_estimated_is_called_so(con, tmp_path):
    claude = {**GPT_4O, "litellm_provider": "anthropic", "cache_read_input_token_cost": 2e-07}
    load_table(con, {"claude-x": claude})
    add(
        con,
        provider="anthropic",
        request_model="claude-x",
        usage=STARTED,
        usage_shape="anthropic.messages",
        usage_source="partial",
        facts=SEEN,
    )

    run(con)
    path = publish(con, tmp_path, NOW)

    with duckdb.connect(str(path), read_only=True) as report:
        lines = report.execute("SELECT meter, is_estimated FROM usage_lines").fetchall()
    assert dict(lines) == {
        "input_tokens": False,
        "cache_read_tokens": False,
        "output_tokens": True,
    }


def test_evidence_of_the_host_has_the_names_that_the_job_reads():
    from anchor_autopatch.host.capture.calls import EVIDENCE

    assert sorted(SEEN) == sorted(EVIDENCE)
