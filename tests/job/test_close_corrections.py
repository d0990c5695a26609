"""What comes after the freeze is a correction in the open month; the frozen one never moves."""

from __future__ import annotations

import shutil
from decimal import Decimal

import pytest

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.close.correcting import Move, approve, propose_late, propose_move, reject
from anchor_autopatch.job.close.events import Act
from anchor_autopatch.job.close.ledger import standing
from anchor_autopatch.job.close.proposals import proposals
from anchor_autopatch.job.close.statements import current
from anchor_autopatch.job.verify.closing import check_closed, check_ledger
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import add_call, allocate, usd
from tests.job.closed import LATER, RULES

OCTOBER = "2026-10"
CAROL = Act("carol", "", LATER)
TABLES = ("cost_split", "receipt_anchor", "line_match", "reconciliation", "statement")


@pytest.fixture
def con(closed_home, tmp_path):
    shutil.copytree(closed_home, tmp_path, dirs_exist_ok=True)
    with open_warehouse(tmp_path) as con:
        yield con


def rows(con, sql):
    return con.execute(sql).fetchall()


def month_of(con):
    """Every row of October, as it lies in the warehouse."""
    return [rows(con, f"SELECT * FROM {table} ORDER BY ALL") for table in TABLES]


def booked(con, period=OCTOBER):
    return {(app.team, app.service): amount for app, amount in standing(con, period)}


def late_call(con, receipt_id="r9", cost="1"):
    add_call(con, receipt_id, "search", cost, team="search", shipped_at=LATER)


def move(amount="10.00", **target):
    return Move({"service": "imagegen"}, target or {"team": "support"}, Decimal(amount))


def test_reconciling_a_frozen_month_again_changes_nothing(con):
    before = month_of(con)

    late_call(con)
    allocate(con)
    propose_late(con, LATER)

    assert month_of(con) == before


def test_late_receipt_becomes_a_proposal(con):
    late_call(con)

    (correction_id,) = propose_late(con, LATER)

    (proposal,) = proposals(con)
    assert (proposal.correction_id, proposal.state) == (correction_id, "proposed")
    # 100 USD by 0.84, 0.16 and 1.00: half of it belongs to the call that came late.
    assert (proposal.moved, proposal.currency) == (usd("50.00"), "USD")
    assert proposal.reason == "1 receipt came after 2026-10 was closed"


def test_the_same_finding_is_proposed_once(con):
    late_call(con)
    propose_late(con, LATER)

    assert propose_late(con, LATER) == []


def test_more_late_receipts_replace_the_open_proposal(con):
    late_call(con)
    propose_late(con, LATER)
    late_call(con, "r10", "2")

    assert len(propose_late(con, LATER)) == 1
    assert [each.state for each in proposals(con)] == ["withdrawn", "proposed"]


def test_a_rejected_finding_is_not_proposed_again(con):
    late_call(con)
    (correction_id,) = propose_late(con, LATER)

    reject(con, RULES, correction_id, Act("carol", "immaterial", LATER))

    assert propose_late(con, LATER) == []
    assert booked(con) == {("media", "imagegen"): usd("84"), ("support", "chatbot"): usd("16")}


def test_approval_reverses_and_rebooks_in_the_open_month(con):
    late_call(con)
    (correction_id,) = propose_late(con, LATER)

    assert approve(con, RULES, correction_id, CAROL) == "2026-11"

    assert booked(con) == {
        ("media", "imagegen"): usd("42"),
        ("support", "chatbot"): usd("8"),
        ("search", "search"): usd("50"),
    }
    linked = "SELECT DISTINCT txn_id, kind, period, posted_period, ref_txn_id FROM ledger_entry"
    assert rows(con, f"{linked} WHERE posted_period = '2026-11' ORDER BY 1") == [
        ("2026-11-000002", "reversal", OCTOBER, "2026-11", "2026-10-000001"),
        ("2026-11-000003", "correction", OCTOBER, "2026-11", "2026-11-000002"),
    ]


def test_what_is_approved_is_not_proposed_again(con):
    late_call(con)
    (correction_id,) = propose_late(con, LATER)
    approve(con, RULES, correction_id, CAROL)

    assert propose_late(con, LATER) == []
    assert check_ledger(con).faults == ()


def test_the_open_months_statement_shows_the_correction(con):
    late_call(con)
    (correction_id,) = propose_late(con, LATER)
    approve(con, RULES, correction_id, CAROL)
    november = LATER.replace(tzinfo=None, day=3)
    add_call(con, "n1", "chatbot", "1", team="support", occurred_at=november)
    allocate(con)

    csv = {
        each.team: each.body
        for each in current(con, "2026-11", "chargeback")
        if each.format == "csv"
    }

    assert "correction,2026-11,1,chargeback,2026-10,search,gemini" in csv["search"]
    assert csv["search"].splitlines()[-1].endswith(",50.00,USD")
    assert csv["media"].splitlines()[-1].endswith(",-42.00,USD")


def test_proposer_cannot_approve(con):
    correction_id = propose_move(con, RULES, OCTOBER, move(), Act("paul", "shared", LATER))

    with pytest.raises(ConfigError, match="'paul' proposed"):
        approve(con, RULES, correction_id, Act("paul", "", LATER))


def test_money_is_moved_between_applications(con):
    target = {"team": "support", "service": "chatbot", "environment": "production"}

    correction_id = propose_move(con, RULES, OCTOBER, move(**target), Act("ana", "shared", LATER))
    approve(con, RULES, correction_id, CAROL)

    assert booked(con) == {("media", "imagegen"): usd("74"), ("support", "chatbot"): usd("26")}


BAD_MOVES = (
    (move("84.01"), "only 84"),
    (move("0.001"), "whole cents"),
    (move("-1"), "whole cents"),
    (Move({}, {"team": "x"}, Decimal(1)), "means 2 applications"),
    (Move({"team": "none"}, {"team": "x"}, Decimal(1)), "means 0 applications"),
    (move("1", team="media", service="imagegen"), "already with 'imagegen'"),
)


@pytest.mark.parametrize(("asked", "text"), BAD_MOVES)
def test_moves_that_cannot_be_are_refused(con, asked, text):
    with pytest.raises(ConfigError, match=text):
        propose_move(con, RULES, OCTOBER, asked, Act("ana", "shared", LATER))


def test_a_changed_proposal_cannot_be_approved(con):
    correction_id = propose_move(con, RULES, OCTOBER, move(), Act("ana", "shared", LATER))
    con.execute("UPDATE period_correction SET right_amount = right_amount + 1")

    with pytest.raises(ConfigError, match="not as it was proposed"):
        approve(con, RULES, correction_id, CAROL)
    assert f"correction {correction_id} is not as it was proposed" in check_ledger(con).faults


def test_an_overtaken_proposal_cannot_be_approved(con):
    first, second = (
        propose_move(con, RULES, OCTOBER, move(), Act("ana", "shared", LATER)) for _ in range(2)
    )
    approve(con, RULES, first, CAROL)

    with pytest.raises(ConfigError, match="ledger of 2026-10 has moved"):
        approve(con, RULES, second, CAROL)


def test_corrections_leave_the_seal_whole(con, tmp_path):
    correction_id = propose_move(con, RULES, OCTOBER, move(), Act("ana", "shared", LATER))
    approve(con, RULES, correction_id, CAROL)

    assert check_ledger(con).faults == ()
    assert check_closed(con, tmp_path).faults == ()
