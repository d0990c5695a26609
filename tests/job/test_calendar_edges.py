"""The hours in which a month of who bills is not that of UTC: open or frozen as the bill says."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.settings import WAREHOUSE_FILE
from anchor_autopatch.job.allocation import Policies, allocate_open_periods, note_edges
from anchor_autopatch.job.allocation.calendars import Payer, billing_months, edges_of
from anchor_autopatch.job.archive import Retention, archive, purge
from anchor_autopatch.job.corrections import Decision, Selection, correct
from anchor_autopatch.job.meters import measure
from anchor_autopatch.job.policy import read_policy
from anchor_autopatch.job.reconcile import reconcile
from anchor_autopatch.job.settlement import settle
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import add_call, bill
from tests.job.closed import LATER
from tests.job.outboxes import START_US, left_behind, receipt
from tests.job.priced import NOW, add, cost, load_table, run
from tests.job.test_calendars import PACIFIC, ZONES, import_gcp, month_of, scope

EDGES = {
    "last UTC hour before October": "2026-09-30T23:59:59",
    "still Pacific September": "2026-10-01T06:59:59",
    "first of Pacific October": "2026-10-01T07:00:00",
    "last of Pacific October": "2026-11-01T06:59:59",
    "first of Pacific November": "2026-11-01T07:00:00",
}
FROZEN = ("first of Pacific October", "last of Pacific October")
DEAR = {"gemini-x": {"litellm_provider": "gemini", "input_cost_per_token": 5e-6}}
CHEAP = {"gemini-x": {"litellm_provider": "gemini", "input_cost_per_token": 1e-6}}
FREEZE = """
    INSERT INTO reconciliation (
        period, provider, account, currency, estimated_total_usd, flagged, status, mode,
        reconciled_at
    )
    VALUES (?, 'gemini', '', 'USD', 0, false, 'frozen', 'chargeback', ?)
"""


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def at(text):
    return datetime.fromisoformat(text)


def add_edges(con, **fields):
    """A receipt of gemini at each edge, named for it."""
    for name, instant in EDGES.items():
        gemini = {"provider": "gemini", "request_model": "gemini-x"}
        add(con, name, occurred_at=at(instant), **gemini | fields)


def freeze_october(con, zone=PACIFIC):
    con.execute(FREEZE, ["2026-10", NOW])
    note_edges(con, {"gemini": zone})


def named(con, sql):
    return sorted(name for (name,) in con.execute(sql).fetchall())


@given(zone=ZONES, minutes=st.integers(0, 60 * 24 * 91))
def test_month_of_an_instant_is_that_of_its_edge_or_of_utc(zone, minutes):
    instant = at("2026-09-15T00:00") + timedelta(minutes=minutes)
    payer = Payer("gemini", "", at("2026-09-15"), at("2026-12-15"))
    months = billing_months([scope("2026-10", "gcp-billing")], [payer], {"gemini": zone})

    told = [each.period for each in edges_of(months) if each.from_at <= instant < each.to_at]

    assert (told or [f"{instant:%Y-%m}"]) == month_of(months, instant)


def test_months_of_utc_have_no_edges():
    payer = Payer("gemini", "", at("2026-09-15"), at("2026-12-15"))

    assert edges_of(billing_months([scope("2026-10")], [payer], {})) == []


def test_prices_of_a_frozen_pacific_month_stay_to_its_last_hour(con):
    load_table(con, DEAR)
    add_edges(con)
    run(con)
    freeze_october(con)
    before = {name: cost(con, name) for name in EDGES}

    load_table(con, CHEAP, seen=datetime(2026, 9, 1, tzinfo=UTC), now=LATER)
    run(con, LATER)

    assert {name for name in EDGES if cost(con, name) == before[name]} == set(FROZEN)
    periods = con.execute("SELECT DISTINCT period FROM price_proposal").fetchall()
    assert named(con, "SELECT receipt_id FROM price_proposal") == sorted(FROZEN)
    assert periods == [("2026-10",)]


def test_meters_of_a_frozen_pacific_month_stay_to_its_last_hour(con):
    add_edges(con)
    measure(con, NOW)
    freeze_october(con)
    con.execute("UPDATE receipt_meters SET meter_version = 0")

    measure(con, LATER)

    assert named(con, "SELECT receipt_id FROM receipt_meters WHERE meter_version = 0") == sorted(
        FROZEN
    )


def test_settlements_of_a_frozen_pacific_month_stay_to_its_last_hour(con):
    facts = {"retrieved": True}
    for name, instant in EDGES.items():
        fields = {"response_id": name, "facts": facts, "provider": "gemini"}
        add(con, name, occurred_at=at(instant), team="poller", **fields)
    settle(con, NOW)
    freeze_october(con)
    for name, instant in EDGES.items():
        earlier = {"occurred_at": at(instant) - timedelta(seconds=1), "provider": "gemini"}
        add(con, f"submits {name}", response_id=name, team="search", billable=False,
            facts={"unfinished": True}, **earlier)  # fmt: skip

    settle(con, LATER)

    teams = "SELECT receipt_id FROM settled_receipt WHERE billable AND team = 'poller'"
    assert named(con, teams) == sorted(FROZEN)


def test_receipts_of_a_frozen_pacific_month_cannot_be_corrected(con):
    add_edges(con)
    freeze_october(con)
    decision = Decision({"team": "search"}, False, "ann", "asked her")
    policy, _ = read_policy({})

    for name in EDGES:
        if name in FROZEN:
            with pytest.raises(ConfigError, match="'2026-10' is frozen"):
                correct(con, Selection((name,)), decision, policy, NOW)
        else:
            correct(con, Selection((name,)), decision, policy, NOW)

    assert named(con, "SELECT receipt_id FROM attributed_receipt WHERE team = 'search'") == sorted(
        EDGES.keys() - FROZEN
    )


@pytest.mark.parametrize(
    ("zone", "kept"),
    [
        # 1 November UTC begins in October of California and ends in November.
        (PACIFIC, {"2026-09-30": "2026-09", "2026-10-01": "2026-09", "2026-11-01": "2026-11"}),
        ("UTC", {"2026-09-30": "2026-09", "2026-11-01": "2026-11"}),
        # The evening of 31 October UTC is of November in Tokyo.
        ("Asia/Tokyo", {"2026-10-31": "2026-11", "2026-11-01": "2026-11"}),
    ],
)
def test_day_with_a_receipt_of_an_open_month_is_not_purged(con, tmp_path, zone, kept):
    add_edges(con)
    late = {"provider": "gemini", "request_model": "gemini-x"}
    add(con, "evening", occurred_at=at("2026-10-31T20:00"), **late)
    run(con)
    freeze_october(con, zone)
    archive(con, tmp_path, NOW)

    report = purge(con, tmp_path, Retention(receipts_days=1), LATER, dry_run=True)

    told = {each.name: each.kept_because for each in report.kept}
    assert told == {day: f"period {period} is not closed" for day, period in kept.items()}


def test_calendar_of_a_frozen_month_is_that_it_was_frozen_with(con, tmp_path):
    add_call(con, "october", "chatbot", "1", occurred_at=at("2026-10-12T09:00"))
    add_call(con, "edge", "chatbot", "1", occurred_at=at("2026-11-01T03:00"))
    bill(con, tmp_path, "G-1,gemini,2026-10,8.00,USD")
    pacific = Policies(time_zones={"gemini": PACIFIC})
    allocate_open_periods(con, NOW, policies=pacific)
    con.execute("UPDATE reconciliation SET status = 'frozen' WHERE period = '2026-10'")

    note_edges(con, {})
    allocate_open_periods(con, NOW)

    assert named(con, "SELECT receipt_id FROM edge_receipt WHERE period = '2026-10'") == ["edge"]
    assert named(con, "SELECT DISTINCT period FROM app_cost") == ["2026-10"]


def test_late_receipt_of_the_last_pacific_hours_is_in_no_open_split(con, tmp_path):
    add_call(con, "october", "chatbot", "1", occurred_at=at("2026-10-12T09:00"))
    import_gcp(con, tmp_path, 8.0)
    allocate_open_periods(con, NOW)
    con.execute("UPDATE reconciliation SET status = 'frozen' WHERE period = '2026-10'")
    add_call(con, "late", "search", "1", occurred_at=at("2026-11-01T06:00"))

    note_edges(con, {})
    allocate_open_periods(con, LATER)

    assert named(con, "SELECT receipt_id FROM moved_receipt") == ["late"]
    assert named(con, "SELECT DISTINCT period FROM app_cost WHERE service = 'search'") == []


def test_account_that_bills_utc_months_keeps_them_beside_a_pacific_one(con):
    add(con, "pacific", occurred_at=at("2026-11-01T03:00"), provider="gemini")
    add(con, "utc", occurred_at=at("2026-11-01T03:00"), provider="openai")
    freeze_october(con)

    frozen = "SELECT receipt_id FROM receipt WHERE in_frozen_month(receipt_id, occurred_at)"
    assert named(con, frozen) == ["pacific"]


def test_whole_job_notes_the_hours_before_it_prices(synced_warehouse, tmp_path):
    shutil.copy(synced_warehouse, tmp_path / WAREHOUSE_FILE)
    left_behind(tmp_path, receipt(1))
    now = datetime.fromtimestamp(START_US / 1e6, UTC) + timedelta(hours=1)
    found = []

    for zones in ({"openai": PACIFIC}, {}):
        reconcile([tmp_path], now, {"allocation": {"time_zones": zones}})
        with open_warehouse(tmp_path) as con:
            found.append(con.execute("SELECT from_at, to_at, period FROM month_edge").fetchall())

    # Of September, in which the only receipt is; the month before has nothing to say of it.
    assert (at("2026-10-01T00:00"), at("2026-10-01T07:00"), "2026-09") in found[0]
    assert found[1] == []
