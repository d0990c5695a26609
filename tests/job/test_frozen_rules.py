"""A frozen month is divided again by the rules that it was frozen with, not by those of today."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor_autopatch.job.allocation import (
    KeyMap,
    Policies,
    allocate_open_periods,
    divide_anew,
    read_policies,
)
from anchor_autopatch.job.allocation.policies import BUCKETS, AppKey, Commitment, Policy
from anchor_autopatch.job.allocation.snapshots import from_document, to_document
from anchor_autopatch.job.close import freeze, propose_late, review, sign_off
from anchor_autopatch.job.close.proposals import changes_of
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW, add_call, bill, usd
from tests.job.closed import LATER, RULES

LINES = "invoice_id,provider,period,amount,currency,model,project,line_id"
TEXTS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)
APPS = st.builds(AppKey, st.none() | st.text(max_size=4), st.none() | st.text(max_size=4))
POLICIES = st.builds(
    Policy,
    st.sampled_from(("hold", "even", "proportional", "fixed")),
    st.lists(st.tuples(APPS, st.integers(1, 10**8)), max_size=3).map(tuple),
)
COMMITMENTS = st.builds(
    Commitment, st.text(max_size=5), st.none() | st.text(max_size=5), st.integers(1)
)


@given(
    st.builds(KeyMap, TEXTS, TEXTS),
    st.builds(
        Policies,
        st.dictionaries(st.sampled_from(sorted(BUCKETS.values())), POLICIES),
        st.lists(COMMITMENTS, max_size=2).map(tuple),
        TEXTS,
    ),
)
def test_rules_are_kept_whole(keys, policies):
    assert from_document(to_document(keys, policies)) == (keys, policies)


@pytest.fixture
def home(tmp_path):
    """October: 80 USD of project p1 (key k1), 20 USD that match nothing and go to the platform."""
    with open_warehouse(tmp_path) as con:
        add_call(con, "r1", "chatbot", "1", api_key_id="k1")
        add_call(con, "r2", "search", "1", api_key_id="k2")
        rows = ("80.00,USD,gemini-3.8-flash,p1,L1", "20.00,USD,,,L2")
        bill(con, tmp_path, *(f"G-1,gemini,2026-10,{row}" for row in rows), header=LINES)
        con.execute("UPDATE invoice SET total = 110 WHERE invoice_id = 'G-1'")
        allocate_open_periods(
            con, NOW, keys=KeyMap({"k1": "p1"}, {}), policies=policies("platform")
        )
        review(con, RULES, "2026-10", "ana", LATER)
        sign_off(con, RULES, "2026-10", "bob", LATER)
        freeze(con, tmp_path, RULES, "2026-10", "bob", LATER)
    return tmp_path


def policies(owner):
    rounding = {"policy": "owner", "service": owner}
    return read_policies({"allocation": {"buckets": {"rounding": rounding}}})


def shares(con, **rules):
    found = divide_anew(con, "2026-10", **rules)
    return {row[5]: row[7] for row in found}


FROZEN = {"chatbot": usd("90.00"), "search": usd("10.00"), "platform": usd("10.00")}


def test_other_keys_and_policies_do_not_move_a_frozen_month(home):
    with open_warehouse(home) as con:
        now_other = {"keys": KeyMap({"k2": "p1"}, {}), "policies": policies("somebody")}

        assert shares(con, **now_other) == FROZEN


def test_late_receipts_are_proposed_by_the_frozen_rules(home):
    with open_warehouse(home) as con:
        late = LATER.replace(hour=20)
        add_call(con, "r3", "late", "1", api_key_id="k1", shipped_at=late)
        (proposal,) = propose_late(con, late, KeyMap({"k2": "p1"}, {}), policies("somebody"))

        moved = {each.app.service: each.right - each.booked for each in changes_of(con, proposal)}
        assert moved.keys() == {"chatbot", "search", "late"}
        assert sum(moved.values()) == 0
