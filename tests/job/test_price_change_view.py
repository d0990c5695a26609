"""`price_changes`: what changed in the list, when it began, and which calls it concerns."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from anchor_autopatch.job.publish import publish
from anchor_autopatch.job.rates import ContractTerms, RateStart, set_rate, set_start
from anchor_autopatch.job.rates.contracts import OPEN_END
from anchor_autopatch.job.relations import open_report
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import NOW, add, load_table, run

SEPTEMBER = datetime(2026, 9, 1, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 21, tzinfo=UTC)
OLD = {
    "input_cost_per_token": 10e-6,
    "output_cost_per_token": 40e-6,
    "cache_read_input_token_cost": 2.5e-6,
}
NEW = {
    "input_cost_per_token": 2e-6,
    "output_cost_per_token": 8e-6,
    "cache_read_input_token_cost": 0.5e-6,
}


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def change(con, old, new):
    load_table(con, {"gpt-4o": old, "still": OLD}, seen=SEPTEMBER)
    load_table(con, {"gpt-4o": new, "still": OLD}, seen=OCTOBER)


def told(con, columns="meter, above_tokens, before_usd, after_usd"):
    sql = f"SELECT {columns} FROM price_change ORDER BY model_key, above_tokens, meter"
    return con.execute(sql).fetchall()


def usd(text):
    return None if text is None else Decimal(text) / 1_000_000


def test_each_rate_that_changed_is_told_once(con):
    change(con, OLD, NEW)

    assert told(con) == [
        ("cache_read_tokens", -1, usd("2.5"), usd("0.5")),
        ("input_tokens", -1, usd("10"), usd("2")),
        ("output_tokens", -1, usd("40"), usd("8")),
    ]


def test_rates_that_follow_another_are_named_with_it(con):
    change(con, OLD, NEW)

    follows = dict(told(con, "meter, follows"))

    assert follows["cache_read_tokens"] == "cache_read_audio_tokens"
    assert "output_reasoning_tokens" in follows["output_tokens"].split(", ")


def test_rate_that_only_its_like_had_is_told_by_itself(con):
    change(con, OLD, OLD | {"input_cost_per_audio_token": 12e-6})

    assert told(con) == [("input_audio_tokens", -1, usd("10"), usd("12"))]


def test_bracket_that_is_new_has_no_price_before(con):
    change(con, OLD, OLD | {"input_cost_per_token_above_200k_tokens": 20e-6})

    (row,) = [row for row in told(con) if row[0] == "input_tokens"]
    assert row == ("input_tokens", 200_000, None, usd("20"))


def test_seconds_are_told_by_the_second(con):
    heard = {"mode": "audio_transcription"}
    change(con, heard | {"input_cost_per_second": 1e-4}, heard | {"input_cost_per_second": 2e-4})

    assert told(con) == [("audio_in_seconds", -1, Decimal("0.0001"), Decimal("0.0002"))]


def test_change_says_when_it_began_when_it_was_seen_and_how_that_is_known(con):
    change(con, OLD, NEW)
    seen = OCTOBER.replace(tzinfo=None)
    began = datetime.fromisoformat("2026-10-14")
    before = set(told(con, "began_at, seen_at, provenance"))

    set_start(con, RateStart("gpt-4o", began, "announced", "ann"), NOW)

    assert before == {(seen, seen, "first seen")}
    assert set(told(con, "began_at, seen_at, provenance")) == {(began, seen, "known start")}


def test_calls_of_the_new_card_are_counted(con):
    change(con, OLD, NEW)
    for day in ("2026-10-20", "2026-10-22", "2026-10-23"):
        add(con, day, occurred_at=datetime.fromisoformat(day))
    run(con)

    assert set(told(con, "model_key, calls")) == {("gpt-4o", 2)}


def test_contract_is_no_change_of_the_list(con):
    load_table(con, {"gpt-4o": OLD}, seen=SEPTEMBER)
    first = datetime.fromisoformat("2026-10-01")
    terms = ContractTerms("gpt-4o", "", {"input": "1/1M"}, first, OPEN_END, "order form", "ann")
    set_rate(con, terms, replace=False, now=NOW)

    assert told(con) == []


def test_report_has_them(con, tmp_path):
    change(con, OLD, NEW)
    expected = told(con, "*")

    publish(con, tmp_path, NOW)

    with open_report(tmp_path) as report:
        sql = "SELECT * FROM price_changes ORDER BY model_key, above_tokens, meter"
        assert report.execute(sql).fetchall() == expected
