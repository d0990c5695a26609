"""Start dates of genai-prices: a change that both lists tell alike holds since it really began."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from anchor_autopatch.cli import main
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.close import freeze, review, sign_off
from anchor_autopatch.job.close.correcting import propose_late
from anchor_autopatch.job.close.proposals import changes_of, proposals
from anchor_autopatch.job.rates import (
    RateStart,
    opinion,
    read_starts_from,
    set_start,
    take_starts,
)
from anchor_autopatch.job.reconcile import reconcile
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import allocate, bill
from tests.job.closed import LATER, RULES
from tests.job.priced import NOW, add, cost, load_table, run

pytest.importorskip("genai_prices", reason="the extra second-opinion is not installed")

# o3 as LiteLLM had it and as it has it since 2025-06-22; it really changed on 2025-06-10.
OLD = {"input_cost_per_token": 10e-6, "output_cost_per_token": 40e-6}
NEW = {"input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6}
SEEN_OLD = datetime(2025, 6, 1, tzinfo=UTC)
SEEN_NEW = datetime(2025, 6, 22, tzinfo=UTC)
BEGAN = datetime.fromisoformat("2025-06-10")
DEAR, CHEAP = Decimal("0.018"), Decimal("0.0036")
"""What 1,000 tokens in and 200 out cost by either."""


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def load_both(con, old=OLD, new=NEW):
    load_table(con, {"o3": old}, seen=SEEN_OLD)
    load_table(con, {"o3": new}, seen=SEEN_NEW)


def add_around(con, day=BEGAN):
    add(con, "before", request_model="o3", occurred_at=day - timedelta(seconds=1))
    add(con, "after", request_model="o3", occurred_at=day)


def costs(con, now=NOW):
    run(con, now)
    return cost(con, "before"), cost(con, "after")


def starts_of(con):
    sql = """SELECT starts_at, source, source_version, superseded_at IS NULL
             FROM rate_start ORDER BY ALL"""
    return con.execute(sql).fetchall()


def test_open_month_is_priced_anew_once_the_start_is_known(con):
    load_both(con)
    add_around(con)
    seen = costs(con)

    take_starts(con, NOW)

    assert seen == (DEAR, DEAR)
    assert costs(con, NOW + timedelta(hours=1)) == (DEAR, CHEAP)


def test_start_is_recorded_with_its_source_and_what_was_known_before(con):
    load_both(con)

    report = take_starts(con, NOW)

    sql = """SELECT valid_from, provenance, recorded_at, superseded_at IS NULL
             FROM rate_segment WHERE rate_sheet_id = ? ORDER BY valid_from"""
    (start,) = report.starts
    now = NOW.replace(tzinfo=None)
    assert con.execute(sql, [start.rate_sheet_id]).fetchall() == [
        (BEGAN, "start by genai-prices", now, True),
        (SEEN_NEW.replace(tzinfo=None), "first seen", now, False),
    ]
    assert starts_of(con) == [(BEGAN, "genai-prices", report.source_version, True)]


def test_asking_again_changes_nothing(con):
    load_both(con)
    take_starts(con, NOW)
    before = con.execute("SELECT * FROM rate_segment ORDER BY ALL").fetchall()

    again = take_starts(con, NOW + timedelta(days=1))

    assert (len(again.starts), again.new_count, again.ended_count) == (1, 0, 0)
    assert con.execute("SELECT * FROM rate_segment ORDER BY ALL").fetchall() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (OLD | {"output_cost_per_token": 44e-6}, NEW),
        (OLD, NEW | {"input_cost_per_token": 3e-6}),
        (OLD, OLD | {"cache_read_input_token_cost": 5e-7}),
    ],
    ids=["another price before", "another price after", "another change"],
)
def test_change_that_only_one_list_tells_is_not_dated(con, old, new):
    load_both(con, old, new)
    add_around(con)
    before = costs(con)

    report = take_starts(con, NOW)

    (unused,) = report.unused
    assert (report.starts, unused.starts_on) == ((), BEGAN.date())
    assert "genai-prices has 10/40 USD per 1M -> 2/8 USD per 1M" in unused.reason
    assert costs(con, NOW + timedelta(hours=1)) == before


def test_change_seen_on_the_day_it_began_needs_no_date(con):
    load_table(con, {"o3": OLD}, seen=SEEN_OLD)
    load_table(con, {"o3": NEW}, seen=BEGAN.replace(tzinfo=UTC))

    report = take_starts(con, NOW)

    assert (report.starts, report.unused) == ((), ())


def test_list_that_never_had_the_old_price_has_nothing_to_date(con):
    load_table(con, {"o3": NEW}, seen=SEEN_NEW)

    report = take_starts(con, NOW)

    assert (report.starts, report.unused) == ((), ())


def test_day_that_a_person_typed_outranks_the_package(con):
    load_both(con)
    add_around(con, datetime.fromisoformat("2025-06-12"))
    set_start(
        con,
        RateStart("o3", datetime.fromisoformat("2025-06-12"), "our invoice says so", "ann"),
        NOW,
    )

    take_starts(con, NOW + timedelta(hours=1))

    assert costs(con, NOW + timedelta(hours=2)) == (DEAR, CHEAP)


def test_date_does_not_go_over_to_a_change_that_a_later_loaded_table_shows(con):
    load_both(con)
    take_starts(con, NOW)
    add_around(con)

    # Seen between the two: the old price, with a field more.
    between = OLD | {"cache_read_input_token_cost": 2.5e-6}
    load_table(con, {"o3": between}, seen=datetime(2025, 6, 15, tzinfo=UTC))
    seen_first = costs(con, NOW + timedelta(hours=1))
    report = take_starts(con, NOW + timedelta(hours=1))

    assert seen_first == (DEAR, DEAR)
    assert (report.ended_count, len(report.unused)) == (1, 1)
    assert starts_of(con)[0][-1] is False


def test_frozen_month_keeps_its_prices_and_gets_a_proposal(con, tmp_path):
    load_both(con)
    add_around(con)
    con.execute("UPDATE receipt SET service = receipt_id, team = 'research'")
    before = costs(con)
    freeze_june(con, tmp_path)

    take_starts(con, NOW + timedelta(hours=1))

    assert costs(con, NOW + timedelta(hours=1)) == before
    (correction_id,) = propose_late(con, LATER)
    assert [each.kind for each in proposals(con)] == ["new_rates"]
    right = {change.app.service: change.right for change in changes_of(con, correction_id)}
    assert right == {"before": Decimal("83.33"), "after": Decimal("16.67")}


def freeze_june(con, folder):
    """100 USD for June 2025, signed off and frozen."""
    bill(con, folder, "J-1,openai,2025-06,100.00,USD")
    allocate(con)
    review(con, RULES, "2025-06", "ana", LATER)
    sign_off(con, RULES, "2025-06", "bob", LATER)
    freeze(con, folder, RULES, "2025-06", "bob", LATER)


def test_section_of_the_policy_file_switches_it_on():
    asked = {"prices": {"starts_from": "genai-prices"}}

    assert read_starts_from(asked)
    assert not read_starts_from({"prices": {}})
    assert not read_starts_from({})


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"starts_from": "tokencost"}, "'tokencost' for 'starts_from'"),
        ({"start_from": "genai-prices"}, "Unknown key 'start_from'"),
        (3, "expected a table"),
    ],
)
def test_mistake_in_the_section_is_named(section, told):
    with pytest.raises(ConfigError, match=told):
        read_starts_from({"prices": section})


def test_reconcile_takes_the_dates_where_the_section_asks(tmp_path):
    home = tmp_path / "home"
    with open_warehouse(home) as con:
        load_both(con)
        add_around(con)

    config = {"prices": {"starts_from": "genai-prices"}}
    report = reconcile([home], NOW, config)

    assert [start.model_key for start in report.starts.starts] == ["o3"]
    with open_warehouse(home) as con:
        assert (cost(con, "before"), cost(con, "after")) == (DEAR, CHEAP)


def test_reconcile_keeps_its_dates_where_the_package_is_gone(tmp_path, monkeypatch):
    home = tmp_path / "home"
    with open_warehouse(home) as con:
        load_both(con)
        take_starts(con, NOW)
        add_around(con)
    monkeypatch.setattr(opinion, "find_spec", lambda name: None)

    report = reconcile([home], NOW, {"prices": {"starts_from": "genai-prices"}})

    assert report.starts is None
    assert [line for line in report.findings if "job,second-opinion" in line]
    with open_warehouse(home) as con:
        assert (cost(con, "before"), cost(con, "after")) == (DEAR, CHEAP)


def test_sync_prints_since_when_prices_hold(tmp_path, capsys):
    with open_warehouse(tmp_path) as con:
        load_table(con, {"o3": OLD}, seen=SEEN_OLD)
    path = tmp_path / "new.json"
    path.write_text(json.dumps({"o3": {"litellm_provider": "openai"} | NEW}))
    asked = ["--file", str(path), "--seen", "2025-06-22", "--starts-from", "genai-prices"]

    code = main(["prices", "sync", *asked, "--home", str(tmp_path)])

    out = capsys.readouterr().out
    assert code == 0
    assert "changes that began before the list showed them: 1 (1 new, 0 no longer)" in out
    assert "2025-06-10" in out
