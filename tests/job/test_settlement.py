"""One object bills once, for who submitted it, however its rows arrive."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, timedelta

import duckdb
import pytest

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.publish import publish
from anchor_autopatch.job.settlement import find_overdue, overdue_after, settle
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import CHAT, NOON, NOW, add, cost, load_table, run

GPT_4O = {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05}
VEO = {"mode": "video_generation", "output_cost_per_second": 0.5}


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        load_table(con, {"gpt-4o": GPT_4O, "veo-3": VEO})
        yield con


def submission(con, receipt_id="submitted", response_id="resp_1", **fields):
    facts = {"unfinished": True} | fields.pop("facts", {})
    plain = {"usage": None, "usage_shape": None, "usage_source": "absent", "billable": False}
    who = {"team": "search", "attribution_source": '{"team":"code"}', "operation": "responses"}
    add(con, receipt_id, response_id=response_id, facts=facts, **plain | who | fields)


def retrieval(con, receipt_id, response_id="resp_1", minute=1, **fields):
    facts = {"retrieved": True} | fields.pop("facts", {})
    when = {"occurred_at": NOON + timedelta(minutes=minute)}
    add(con, receipt_id, response_id=response_id, facts=facts, team="poller", **when | fields)


def settled(con, *columns):
    """The columns of every receipt as it is priced and allocated, by receipt_id."""
    rows = con.execute(
        f"SELECT receipt_id, {', '.join(columns)} FROM settled_receipt ORDER BY receipt_id"
    ).fetchall()
    return {row[0]: row[1] if len(columns) == 1 else row[1:] for row in rows}


def freeze(con, period):
    con.execute(
        "INSERT INTO reconciliation (period, provider, account, currency, estimated_total_usd,"
        " flagged, status, mode, reconciled_at)"
        " VALUES (?, 'openai', '', 'USD', 0, false, 'frozen', 'showback', ?)",
        [period, NOW],
    )


def test_earliest_retrieval_bills_the_object(con):
    retrieval(con, "b", minute=2)
    retrieval(con, "c", minute=1)

    report = settle(con, NOW)

    assert settled(con, "billable", "parent_receipt_id") == {"b": (False, "c"), "c": (True, None)}
    assert (report.retrieval_count, report.billed_count) == (2, 1)


def test_retrievals_of_one_instant_are_ordered_by_receipt(con):
    for receipt_id in ("c", "b", "d"):
        retrieval(con, receipt_id)

    settle(con, NOW)

    assert settled(con, "billable") == {"b": True, "c": False, "d": False}


def test_settled_result_belongs_to_who_submitted_it(con):
    submission(con, user_id="u-1", request_id="r-1", labels='{"tier":"gold"}')
    retrieval(con, "b", user_id="somebody else", feature="polling")

    settle(con, NOW)

    columns = ("team", "user_id", "request_id", "feature", "labels", "parent_receipt_id")
    assert settled(con, *columns)["b"] == (
        ("search", "u-1", "r-1", None, '{"tier":"gold"}', "submitted")
    )
    assert json.loads(settled(con, "attribution_source")["b"]) == {"team": "submission:code"}


def test_repeated_retrieval_keeps_its_own_attribution(con):
    submission(con)
    retrieval(con, "b", minute=1)
    retrieval(con, "c", minute=2)

    settle(con, NOW)

    assert settled(con, "team", "parent_receipt_id")["c"] == ("poller", "b")


def test_fresh_call_outranks_every_retrieval(con):
    retrieval(con, "b")
    add(con, "fresh", response_id="resp_1", occurred_at=NOON + timedelta(hours=1))

    settle(con, NOW)

    assert settled(con, "billable", "parent_receipt_id") == {
        "b": (False, "fresh"),
        "fresh": (True, None),
    }


def test_fresh_calls_with_a_repeated_id_all_count(con):
    for receipt_id in ("a", "b", "c"):
        add(con, receipt_id, response_id="chatcmpl-0")
    retrieval(con, "read", response_id="chatcmpl-0")

    settle(con, NOW)

    assert settled(con, "billable") == {"a": True, "b": True, "c": True, "read": False}


@pytest.mark.parametrize(
    "other",
    [
        {"provider": "anthropic"},
        {"response_id": "resp_2"},
        {"provider": "unmapped", "provider_host": "10.0.0.2:80"},
    ],
)
def test_other_object_is_billed_by_itself(con, other):
    first = {"provider": "unmapped", "provider_host": "10.0.0.1:80"} if len(other) == 2 else {}
    retrieval(con, "a", **first)
    retrieval(con, "b", **other)

    settle(con, NOW)

    assert settled(con, "billable") == {"a": True, "b": True}


def test_retrieval_without_an_id_is_billed(con):
    retrieval(con, "a", response_id=None)
    retrieval(con, "b", response_id=None)

    settle(con, NOW)

    assert settled(con, "billable") == {"a": True, "b": True}


def test_retrieval_known_to_its_process_stays_free(con):
    retrieval(con, "a", billable=False)

    settle(con, NOW)

    assert settled(con, "billable") == {"a": False}


def test_answers_of_a_batch_belong_to_who_submitted_it(con):
    submission(con, response_id="msgbatch_1", operation="batch", facts={"batch": True})
    for number in (1, 2):
        for reader in "bc":
            facts = {"batch": True, "batch_id": "msgbatch_1"}
            retrieval(con, f"{reader}{number}", response_id=f"msg_{number}", facts=facts)

    settle(con, NOW)

    found = settled(con, "billable", "team")
    assert {key: found[key] for key in ("b1", "b2")} == {
        "b1": (True, "search"),
        "b2": (True, "search"),
    }
    assert not found["c1"][0]
    assert not found["c2"][0]


ARRIVALS = {
    "submission": submission,
    "early": lambda con: retrieval(con, "b", minute=1),
    "late": lambda con: retrieval(con, "c", minute=2),
}


@pytest.mark.parametrize("order", list(itertools.permutations(ARRIVALS)), ids="-".join)
def test_order_of_arrival_makes_no_difference(con, order):
    for name in order:
        ARRIVALS[name](con)
        settle(con, NOW)
        run(con)

    assert settled(con, "billable", "team", "parent_receipt_id") == {
        "b": (True, "search", "submitted"),
        "c": (False, "poller", "b"),
        "submitted": (False, "search", None),
    }
    assert con.execute("SELECT receipt_id FROM receipt_price").fetchall() == [("b",)]


def test_verify_finds_what_is_billed_twice(con):
    add(con, "fresh", response_id="chatcmpl-0")
    add(con, "again", response_id="chatcmpl-0")
    retrieval(con, "b")
    retrieval(con, "c")
    doubled = load("verify/sums")["doubled_objects"]
    assert con.execute(doubled).fetchall() == [("openai", "resp_1", 2)]

    settle(con, NOW)

    assert con.execute(doubled).fetchall() == []


def test_receipts_themselves_are_never_changed(con):
    submission(con)
    retrieval(con, "b", minute=1)
    retrieval(con, "c", minute=2)
    before = con.execute("FROM receipt ORDER BY receipt_id").fetchall()

    settle(con, NOW)

    assert con.execute("FROM receipt ORDER BY receipt_id").fetchall() == before


def test_settling_twice_writes_nothing(con):
    submission(con)
    retrieval(con, "b")
    settle(con, NOW)

    assert settle(con, NOW + timedelta(days=1)).changed_count == 0


def test_object_costs_once(con):
    submission(con)
    retrieval(con, "b", minute=1, usage=CHAT)
    retrieval(con, "c", minute=2, usage=CHAT)

    settle(con, NOW)
    run(con)

    assert cost(con, "b") == con.execute("SELECT sum(cost_usd) FROM usage_line").fetchone()[0]
    assert con.execute("SELECT count(*) FROM receipt_price").fetchone() == (1,)


def test_submission_states_what_the_result_does_not(con):
    asked = {"request_model": "veo-3", "facts": {"video_seconds_each": 8}}
    submission(con, response_id="operations/1", **asked)
    plain = {"usage": None, "usage_shape": None, "request_model": None}
    retrieval(con, "b", response_id="operations/1", facts={"videos": 2}, **plain)
    run(con)

    settle(con, NOW)
    run(con)

    assert cost(con, "b") == 8


def test_late_submission_renames_who_pays(con):
    retrieval(con, "b")
    settle(con, NOW)
    submission(con)

    report = settle(con, NOW)

    assert (report.changed_count, settled(con, "team")["b"]) == (1, "search")


def test_frozen_settlement_stays_as_it_is(con):
    retrieval(con, "b", occurred_at=NOON - timedelta(days=10))
    settle(con, NOW)
    freeze(con, "2026-10")
    submission(con, occurred_at=NOON - timedelta(days=11))
    retrieval(con, "a", occurred_at=NOON - timedelta(days=12))
    retrieval(con, "c")

    settle(con, NOW)

    assert settled(con, "billable", "team") == {
        "a": (False, "poller"),
        "b": (True, "poller"),
        "c": (False, "poller"),
        "submitted": (False, "search"),
    }


def test_open_period_bills_what_a_frozen_one_missed(con):
    retrieval(con, "c")
    settle(con, NOW)
    freeze(con, "2026-10")
    retrieval(con, "late", occurred_at=NOON - timedelta(days=10))

    settle(con, NOW)

    assert settled(con, "billable") == {"c": True, "late": False}


def overdue(con, tmp_path, **times):
    """Response ids in the published view, and the findings."""
    path = publish(con, tmp_path, NOW, **times)
    with duckdb.connect(str(path), read_only=True) as report:
        rows = report.execute("SELECT response_id FROM unsettled_submissions").fetchall()
    after = times.get("overdue_after", timedelta(hours=48))
    return [row[0] for row in rows], list(find_overdue(con, NOW, after))


def test_submission_that_nobody_read_is_reported(con, tmp_path):
    submission(con, response_id="batch_1", operation="batch")

    listed, (finding,) = overdue(con, tmp_path)

    assert listed == ["batch_1"]
    assert finding.startswith("1 of openai 'batch' submitted, the first on 2026-11-03, and no")


@pytest.mark.parametrize(
    "end",
    [
        {"response_id": "batch_1"},
        {"response_id": "msg_1", "facts": {"batch_id": "batch_1"}},
        # It failed: there is nothing to bill.
        {"response_id": "batch_1", "billable": False, "usage": None},
    ],
)
def test_submission_that_ended_is_not_reported(con, tmp_path, end):
    submission(con, response_id="batch_1", operation="batch")
    retrieval(con, "b", **end)

    assert overdue(con, tmp_path) == ([], [])


def test_poll_that_saw_no_end_settles_nothing(con, tmp_path):
    submission(con)
    retrieval(con, "b", facts={"unfinished": True}, billable=False, usage=None)

    assert overdue(con, tmp_path)[0] == ["resp_1"]


def test_submission_has_the_configured_time(con, tmp_path):
    submission(con)
    waited = NOW - NOON.replace(tzinfo=UTC)

    assert overdue(con, tmp_path, overdue_after=waited) == ([], [])
    assert overdue(con, tmp_path, overdue_after=waited - timedelta(hours=1))[0] == ["resp_1"]


def test_frozen_period_yields_no_finding(con, tmp_path):
    submission(con)
    freeze(con, "2026-11")

    assert overdue(con, tmp_path) == (["resp_1"], [])


def test_overdue_hours_come_from_the_policy_file():
    assert overdue_after({}) == timedelta(hours=48)
    assert overdue_after({"settlement": {"overdue_hours": 6}}) == timedelta(hours=6)


@pytest.mark.parametrize("value", [0, -1, "48", True, 1.5])
def test_overdue_hours_that_are_none_are_refused(value):
    with pytest.raises(ConfigError, match=r"for 'overdue_hours' in \[settlement\] of anchor.toml"):
        overdue_after({"settlement": {"overdue_hours": value}})
