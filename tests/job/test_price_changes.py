"""Real price changes: each receipt takes the rates that held on its day, as far as anybody knew."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from anchor_autopatch.job.rates import (
    ContractTerms,
    RateStart,
    set_rate,
    set_start,
    sync_table,
    take_starts,
)
from anchor_autopatch.job.rates.contracts import OPEN_END
from anchor_autopatch.job.rates.source import read_file
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import NOW, add, cost, run

SHARED_TABLES = Path(__file__).parents[2] / ".." / "shared" / "data" / "price-tables"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not SHARED_TABLES.is_dir(), reason="no collection of real price tables beside this checkout"
    ),
]
USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 400},
}
# Key, day of the first table at hand with the new rates, (input, output, cache read) in USD per
# million tokens before and after. The changes are those of reference/price-changes.md.
SEEN = [
    ("o3", "2025-06-22", ("10", "40", "2.5"), ("2", "8", "0.5")),
    ("gpt-5.6-luna", "2026-08-11", ("1", "6", "0.1"), ("0.2", "1.2", "0.02")),
    ("gpt-5.6-terra", "2026-08-11", ("2.5", "15", "0.25"), ("2", "12", "0.2")),
    ("gpt-5.6-sol", "2026-09-25", ("5", "30", "0.5"), ("4", "20", "0.4")),
    ("o1-mini", "2025-03-06", ("3", "12", "1.5"), ("1.1", "4.4", "0.55")),
    ("gpt-3.5-turbo", "2025-10-22", ("1.5", "2", "1.5"), ("0.5", "1.5", "0.5")),
    ("claude-3-5-haiku-20241022", "2025-03-06", ("1", "5", "0.1"), ("0.8", "4", "0.8")),
    ("claude-3-5-haiku-20241022", "2025-06-01", ("0.8", "4", "0.8"), ("0.8", "4", "0.08")),
    ("deepseek/deepseek-chat", "2026-01-17", ("0.27", "1.1", "0.07"), ("0.28", "0.42", "0.028")),
    (
        "deepseek/deepseek-v4-flash",
        "2026-09-25",
        ("0.14", "0.28", "0.0028"),
        (".44", "1.32", ".014"),
    ),
    ("mistral/mistral-medium-latest", "2025-06-01", ("2.7", "8.1", "2.7"), ("0.4", "2", "0.4")),
    ("mistral/mistral-medium-latest", "2026-08-09", ("0.4", "2", "0.4"), ("1.5", "7.5", "1.5")),
    ("mistral/mistral-small-latest", "2025-06-01", ("1", "3", "1"), ("0.1", "0.3", "0.1")),
    ("mistral/mistral-small-latest", "2026-04-26", ("0.1", "0.3", "0.1"), (".06", ".18", ".06")),
    ("mistral/mistral-small-latest", "2026-09-25", (".06", ".18", ".06"), (".15", "0.6", ".15")),
    ("gemini/gemini-2.5-pro", "2026-01-17", ("1.25", "10", "0.3125"), ("1.25", "10", "0.125")),
    ("gemini/gemini-3.6-flash", "2026-09-25", ("1.5", "7.5", "0.15"), ("0.75", "3.75", "0.075")),
    ("xai/grok-4", "2026-10-08", ("3", "15", "3"), ("1.25", "2.5", "0.2")),
    ("xai/grok-4.20-beta-0309-reasoning", "2026-09-25", ("2", "6", ".2"), ("1.25", "2.5", ".2")),
]
# Key, day on which it really changed, the same.
STARTS = [
    ("o3", "2025-06-10", ("10", "40", "2.5"), ("2", "8", "0.5")),
    ("gpt-5.6-luna", "2026-07-30", ("1", "6", "0.1"), ("0.2", "1.2", "0.02")),
    ("gpt-5.6-terra", "2026-07-30", ("2.5", "15", "0.25"), ("2", "12", "0.2")),
    ("gpt-5.6-sol", "2026-08-21", ("5", "30", "0.5"), ("4", "20", "0.4")),
    (
        "deepseek/deepseek-v4-flash",
        "2026-08-17",
        ("0.14", "0.28", "0.0028"),
        (".44", "1.32", ".014"),
    ),
    ("xai/grok-4.20-beta-0309-reasoning", "2026-04-30", ("2", "6", ".2"), ("1.25", "2.5", ".2")),
    ("mistral/mistral-medium-latest", "2026-06-16", ("0.4", "2", "0.4"), ("1.5", "7.5", "1.5")),
    ("mistral/mistral-small-latest", "2026-04-25", ("0.1", "0.3", "0.1"), (".06", ".18", ".06")),
]
# Key, day of which genai-prices tells, rates before and after: those of the list, dated by it.
BEGAN = [
    *STARTS[:4],
    ("xai/grok-4.20-0309-reasoning", "2026-04-30", ("2", "6", ".2"), ("1.25", "2.5", ".2")),
    ("mistral/mistral-medium-latest", "2026-06-16", ("0.4", "2", "0.4"), ("1.5", "7.5", "1.5")),
]
# Key and day of a price that the list never had: 0.22 / 0.66, then 0.15 / 0.60, of which the list
# has shown the double, as rates of the peak hours, on other days.
NEVER_LISTED = [
    ("deepseek/deepseek-v4-flash", "2026-08-17", ("0.14", "0.28", "0.0028")),
    ("deepseek/deepseek-v4-flash", "2026-09-10", ("0.14", "0.28", "0.0028")),
    ("mistral/mistral-small-latest", "2026-03-16", ("0.1", "0.3", "0.1")),
]
PROVIDERS = {"claude": "anthropic", "gpt": "openai", "o1": "openai", "o3": "openai"}


def load_tables(con, entries):
    for entry in entries:
        seen = datetime.fromisoformat(entry["pypi_upload"]).replace(tzinfo=UTC)
        table = read_file(SHARED_TABLES / entry["file"], entry["sha256"])
        sync_table(con, table, observed_at=seen, now=NOW)


def all_tables():
    return json.loads((SHARED_TABLES / "index.json").read_text())


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    with open_warehouse(tmp_path_factory.mktemp("home")) as con:
        load_tables(con, all_tables())
        yield con


@pytest.fixture(scope="module")
def dated(tmp_path_factory):
    with open_warehouse(tmp_path_factory.mktemp("home")) as con:
        load_tables(con, all_tables())
        for key, day, *_ in STARTS:
            start = RateStart(key, datetime.fromisoformat(day), "announced that day", "ann")
            set_start(con, start, NOW)
        yield con


@pytest.fixture(scope="module")
def second_opinion(tmp_path_factory):
    pytest.importorskip("genai_prices", reason="the extra second-opinion is not installed")
    with open_warehouse(tmp_path_factory.mktemp("home")) as con:
        load_tables(con, all_tables())
        yield con, take_starts(con, NOW)


def add_around(con, key, day):
    """A receipt of the second before the change, and one of its first instant."""
    changed = datetime.fromisoformat(day)
    provider = key.partition("/")[0] if "/" in key else PROVIDERS[key.partition("-")[0]]
    named = {"provider": provider, "request_model": key, "usage": USAGE}
    names = f"{key} {day} before", f"{key} {day} after"
    add(con, names[0], occurred_at=changed - timedelta(seconds=1), **named)
    add(con, names[1], occurred_at=changed, **named)
    run(con)
    return [cost(con, name) for name in names]


def priced_at(rates):
    fresh, made, cached = map(Decimal, rates)
    return (600 * fresh + 100 * made + 400 * cached) / 1_000_000


@pytest.mark.parametrize(("key", "day", "before", "after"), SEEN)
def test_day_before_and_day_after_a_change_was_seen(con, key, day, before, after):
    assert add_around(con, key, day) == [priced_at(before), priced_at(after)]


@pytest.mark.parametrize(("key", "day", "before", "after"), SEEN)
def test_change_is_told_with_both_prices(con, key, day, before, after):
    sql = """SELECT meter, before_usd, after_usd
             FROM price_change
             WHERE model_key = ? AND began_at = ? AND above_tokens = -1 AND NOT off_peak"""
    told = {row[0]: row[1:] for row in con.execute(sql, [key, day]).fetchall()}
    meters = zip(("input_tokens", "output_tokens", "cache_read_tokens"), before, after, strict=True)

    for meter, old, new in meters:
        pair = (Decimal(old) / 1_000_000, Decimal(new) / 1_000_000)
        # A cache that costs what input costs is told with it.
        assert told.get(meter, pair) == pair
        assert meter in told or pair[0] == pair[1] or pair == told["input_tokens"]


@pytest.mark.parametrize(("key", "day", "before", "after"), STARTS)
def test_day_before_and_day_after_a_change_took_effect(dated, key, day, before, after):
    assert add_around(dated, key, day) == [priced_at(before), priced_at(after)]


@pytest.mark.parametrize(("key", "day", "before", "after"), BEGAN)
def test_without_the_package_the_old_rates_go_on_until_seen(con, key, day, before, after):
    assert add_around(con, key, day) == [priced_at(before)] * 2


@pytest.mark.parametrize(("key", "day", "before", "after"), BEGAN)
def test_day_before_and_day_after_by_the_package(second_opinion, key, day, before, after):
    con, _ = second_opinion

    assert add_around(con, key, day) == [priced_at(before), priced_at(after)]


@pytest.mark.parametrize(("key", "day", "rates"), NEVER_LISTED)
def test_price_that_the_list_never_had_prices_nothing(second_opinion, key, day, rates):
    con, report = second_opinion

    assert add_around(con, key, day) == [priced_at(rates)] * 2
    assert (key, day) in {(start.model_key, str(start.starts_on)) for start in report.unused}


def test_tables_loaded_in_another_order_are_dated_alike(second_opinion, tmp_path):
    con, report = second_opinion
    entries = all_tables()
    random.Random(6).shuffle(entries)
    with open_warehouse(tmp_path) as other:
        load_tables(other, entries[:8])
        take_starts(other, NOW)
        load_tables(other, entries[8:])
        again = take_starts(other, NOW)

        assert again.starts == report.starts
        assert current_segments(other) == current_segments(con)


def current_segments(con):
    sql = """SELECT model_key, valid_from, valid_to, rate_sheet_id, provenance
             FROM rate_segment WHERE superseded_at IS NULL ORDER BY ALL"""
    return con.execute(sql).fetchall()


def test_model_that_vanished_keeps_its_last_rates(con):
    assert add_around(con, "xai/grok-4", "2026-11-20") == [priced_at(("1.25", "2.5", "0.2"))] * 2


def test_model_without_an_earlier_table_has_its_first_rates_from_the_start(con):
    key = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    named = {"provider": "bedrock", "request_model": key, "usage": USAGE}
    add(con, key, occurred_at=datetime.fromisoformat("2025-10-01"), **named)

    run(con)

    assert cost(con, key) == priced_at(("3.3", "16.5", "0.33"))


def test_future_change_waits_for_its_day(con):
    first = datetime.fromisoformat("2027-01-01")
    rates = {"input": "1.5/1M", "output": "7.5/1M", "cache_read": "0.15/1M"}
    terms = ContractTerms("gemini-3.6-flash", "gemini", rates, first, OPEN_END, "announced", "ann")
    set_rate(con, terms, replace=False, now=NOW)

    found = add_around(con, "gemini/gemini-3.6-flash", "2027-01-01")

    assert found == [priced_at(("0.75", "3.75", "0.075")), priced_at(("1.5", "7.5", "0.15"))]


def test_start_date_of_a_change_that_nobody_saw_is_refused(con):
    start = RateStart("o3", datetime.fromisoformat("2027-01-01"), "typed", "ann")

    with pytest.raises(Exception, match="shows no change of 'o3' since 2027-01-01"):
        set_start(con, start, NOW)


def test_later_word_on_a_start_date_counts(tmp_path):
    with open_warehouse(tmp_path) as con:
        load_tables(con, all_tables()[3:5])
        for day, hour in (("2025-06-11", 0), ("2025-06-10", 1)):
            start = RateStart("o3", datetime.fromisoformat(day), "announced", "ann")
            set_start(con, start, NOW + timedelta(hours=hour))

        assert add_around(con, "o3", "2025-06-10")[1] == priced_at(("2", "8", "0.5"))


@pytest.mark.parametrize("seed", [1, 2])
def test_tables_in_any_order_give_the_same_segments(con, tmp_path, seed):
    sql = """
        SELECT model_key, provider, valid_from, valid_to, rate_sheet_id, rate_card_id, provenance
        FROM rate_segment
        WHERE source = 'list' AND superseded_at IS NULL
        ORDER BY ALL
    """
    shuffled = random.Random(seed).sample(all_tables(), len(all_tables()))

    with open_warehouse(tmp_path) as other:
        load_tables(other, shuffled)

        assert other.execute(sql).fetchall() == con.execute(sql).fetchall()


FIELDS = {
    "input_cost_per_token": "input_tokens",
    "output_cost_per_token": "output_tokens",
    "cache_read_input_token_cost": "cache_read_tokens",
}


def listed_rates(con):
    """(key, day on which a table first showed its fields) -> the fields."""
    sql = """SELECT model_key, CAST(observed_at AS DATE), fields
             FROM list_change JOIN rate_sheet USING (rate_sheet_id)"""
    return {(key, str(day)): json.loads(fields) for key, day, fields in con.execute(sql).fetchall()}


def known_changes(con):
    """(key, meter, before, after, day) of the known changes of base rates that the tables show."""
    rates = listed_rates(con)
    for line in (SHARED_TABLES / "known-changes.tsv").read_text().splitlines():
        key, field, before, after, _, first_new = line.split("\t")
        day = first_new.partition("(")[2].rstrip(")")
        seen = max((at for of, at in rates if of == key and at < day), default=None)
        listed = rates.get((key, seen), {}).get(field)
        # Some are known from tables between those of the collection, which lack one of the rates.
        if field in FIELDS and (key, day) in rates and listed == str(Decimal(before)):
            yield key, FIELDS[field], Decimal(before), Decimal(after), day


def test_known_changes_of_base_rates_are_all_told(con):
    sql = """SELECT model_key, meter, follows, before_usd, after_usd, CAST(began_at AS DATE)
             FROM price_change WHERE above_tokens = -1 AND NOT off_peak"""
    told = {
        (key, meter, before, after, str(day))
        for key, first, follows, before, after, day in con.execute(sql).fetchall()
        for meter in (first, *follows.split(", "))
    }
    known = set(known_changes(con))

    assert len(known) > 250
    assert known - told == set()
