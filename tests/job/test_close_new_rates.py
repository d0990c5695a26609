"""Rates learnt after the freeze are a correction of the close; the frozen month never moves."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from anchor_autopatch.job.close import freeze, review, sign_off
from anchor_autopatch.job.close.correcting import approve, propose_late, reject
from anchor_autopatch.job.close.events import Act
from anchor_autopatch.job.close.ledger import standing
from anchor_autopatch.job.close.proposals import changes_of, proposals
from anchor_autopatch.job.pricing import find_prices
from anchor_autopatch.job.verify.closing import check_closed, check_ledger
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import OCTOBER, allocate, bill
from tests.job.closed import LATER, RULES
from tests.job.priced import NOW, add, load_table, run

MONTH = "2026-10"
CAROL = Act("carol", "", LATER)
TABLES = ("cost_split", "receipt_anchor", "receipt_price", "reconciliation", "statement")
SAME = {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}
DEARER = {"input_cost_per_token": 3e-6, "output_cost_per_token": 3e-6}


@pytest.fixture
def con(tmp_path):
    """October: 100 USD, two services that used as much, each of a model of its own; closed."""
    with open_warehouse(tmp_path) as con:
        load_table(con, {"gpt-4o": SAME, "gpt-4o-mini": SAME})
        call = {"occurred_at": OCTOBER, "team": "research"}
        add(con, "r1", service="search", request_model="gpt-4o", **call)
        add(con, "r2", service="chat", request_model="gpt-4o-mini", **call)
        run(con)
        bill(con, tmp_path, f"O-1,openai,{MONTH},100.00,USD")
        allocate(con)
        review(con, RULES, MONTH, "ana", LATER)
        sign_off(con, RULES, MONTH, "bob", LATER)
        freeze(con, tmp_path, RULES, MONTH, "bob", LATER)
        yield con


def learn(con, rates=DEARER, later=timedelta(hours=2)):
    """A table that was seen before October says something else of gpt-4o."""
    seen = OCTOBER - timedelta(days=1)
    load_table(con, {"gpt-4o": rates, "gpt-4o-mini": SAME}, seen=seen, now=NOW + later)
    run(con, NOW + later)


def rows_of(con):
    return [con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in TABLES]


def booked(con):
    return {booking.app.service: booking.amount for booking in standing(con, MONTH)}


def test_new_rates_become_a_correction_proposal(con):
    learn(con)

    (correction_id,) = propose_late(con, LATER)

    (proposal,) = proposals(con)
    assert (proposal.kind, proposal.moved) == ("new_rates", Decimal("25.00"))
    assert proposal.reason == "1 receipt of it costs another amount by rates learnt since"
    # Three to one instead of one to one.
    right = {change.app.service: change.right for change in changes_of(con, correction_id)}
    assert right == {"search": Decimal("75.00"), "chat": Decimal("25.00")}


def test_proposing_leaves_the_frozen_month_as_it_was(con):
    before = rows_of(con)

    learn(con)
    propose_late(con, LATER)

    assert rows_of(con) == before


def test_approved_correction_is_booked_and_proposed_no_more(con, tmp_path):
    learn(con)
    (correction_id,) = propose_late(con, LATER)

    approve(con, RULES, correction_id, CAROL)

    assert booked(con) == {"search": Decimal("75.00"), "chat": Decimal("25.00")}
    assert propose_late(con, LATER) == []
    assert (check_closed(con, tmp_path).faults, check_ledger(con).faults) == ((), ())


def test_rejected_rates_are_not_proposed_again(con):
    learn(con)
    (correction_id,) = propose_late(con, LATER)

    reject(con, RULES, correction_id, CAROL._replace(reason="below what matters"))

    assert propose_late(con, LATER) == []


def test_receipt_that_comes_later_too_joins_one_proposal(con):
    learn(con)
    propose_late(con, LATER)
    later = LATER + timedelta(hours=3)
    add(con, "r3", service="late", team="research", occurred_at=OCTOBER, shipped_at=later)
    run(con, later)

    propose_late(con, later)

    assert [each.state for each in proposals(con)] == ["withdrawn", "proposed"]
    (_, proposal) = proposals(con)
    assert proposal.reason == (
        "1 receipt came after 2026-10 was closed and "
        "1 receipt of it costs another amount by rates learnt since"
    )
    right = {line.app.service: line.right for line in changes_of(con, proposal.correction_id)}
    assert right == {"search": Decimal("42.86"), "late": Decimal("42.86"), "chat": Decimal("14.28")}


def test_rates_that_move_no_share_are_only_a_finding(con):
    seen = OCTOBER - timedelta(days=1)
    models = {"gpt-4o": DEARER, "gpt-4o-mini": DEARER}
    load_table(con, models, seen=seen, now=NOW + timedelta(hours=2))
    run(con, NOW + timedelta(hours=2))

    assert propose_late(con, LATER) == []
    (finding,) = find_prices(con)
    assert "2 of its receipts would differ by +0.00 USD" in finding


def test_proposed_correction_speaks_for_its_prices(con):
    learn(con)
    told = [*find_prices(con)]

    propose_late(con, NOW + timedelta(hours=2))

    assert len(told) == 1
    assert [*find_prices(con)] == []
