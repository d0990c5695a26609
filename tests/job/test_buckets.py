"""Money that no receipt explains: shown by default, spread by policy, never silently."""

from __future__ import annotations

import pytest

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.allocation import allocate_open_periods, read_policies
from anchor_autopatch.job.allocation.policies import AppKey, Policy, spread
from anchor_autopatch.job.close import freeze, review, sign_off
from anchor_autopatch.job.verify.sums import check_split
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW, UNITS, add_call, bill, insert, split, usd
from tests.job.closed import LATER, RULES

LINES = "invoice_id,provider,period,amount,currency,model,meter,charge_category,line_id"
TOTALS = {"anchored": 0}


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def rows(con, sql):
    return con.execute(sql).fetchall()


def two_apps(con):
    """75 % of the estimate in one service, 25 % in another."""
    add_call(con, "r1", "search", "3", team="search", request_id="q1", user_id="u1", feature="f1")
    add_call(con, "r2", "chatbot", "1", team="support", environment="production")


def allocate(con, **allocation):
    policies = read_policies({"allocation": allocation})
    return allocate_open_periods(con, NOW, policies=policies)


def buckets(con):
    """(bucket, service) -> amount of every row that no call explains."""
    sql = (
        "SELECT bucket, service, anchored_cost FROM app_cost WHERE bucket IS NOT NULL ORDER BY ALL"
    )
    return [
        (bucket, service, str(amount.normalize())) for bucket, service, amount in rows(con, sql)
    ]


def bill_with_adjustment_of(con, folder, day):
    """100 USD of October, and 8 USD given back for what began on that day."""
    bill(
        con,
        folder,
        "G-1,gemini,2026-10,100.00,USD,,,usage,L1",
        "G-1,gemini,2026-10,-8.00,USD,,,adjustment,L2",
        header=LINES,
    )
    # The generic CSV has no days of its own; the sources that have them land them here.
    con.execute("UPDATE invoice_line SET period_start = ? WHERE amount < 0", [day])


def untracked_quarter(con):
    """The provider counted a third more than the receipts: a quarter of the whole is untracked."""
    insert(
        con,
        "usage_evidence",
        provider="gemini",
        account="",
        period="2026-10",
        model_raw="gemini-3.8-flash",
        meter="input",
        quantity=usd(2 * UNITS) * 4 / 3,
        document_sha256="x",
    )


def test_taxes_follow_what_everything_came_to(con, tmp_path):
    two_apps(con)
    bill(
        con,
        tmp_path,
        "G-1,gemini,2026-10,80.00,USD,gemini-3.8-flash,input,usage,L1",
        "G-1,gemini,2026-10,-20.00,USD,gemini-3.8-flash,input,credit,L2",
        "G-1,gemini,2026-10,40.00,USD,,,fee,L3",
        "G-1,gemini,2026-10,19.00,USD,,,tax,L4",
        header=LINES,
    )

    allocate(con)

    # 100 before taxes, split 75 to 25; the tax follows that.
    assert split(con) == {"search": usd("89.25"), "chatbot": usd("29.75")}
    levels = dict(rows(con, "SELECT right(invoice_line_id, 2), match_level FROM line_match"))
    assert levels["L4"] == "net"
    assert check_split(con, TOTALS).faults == ()


def test_unexplained_money_bears_its_own_tax(con, tmp_path):
    two_apps(con)
    untracked_quarter(con)
    bill(
        con,
        tmp_path,
        "G-1,gemini,2026-10,100.00,USD,gemini-3.8-flash,input,usage,L1",
        "G-1,gemini,2026-10,20.00,USD,,,tax,L2",
        header=LINES,
    )

    allocate(con)

    assert buckets(con) == [("__untracked", "__untracked", "3E+1")]
    assert split(con)["search"] == usd("67.50")


def test_taxes_with_nothing_to_bear_them_are_unallocated(con, tmp_path):
    bill(con, tmp_path, "G-1,gemini,2026-10,19.00,USD,,,tax,L1", header=LINES)

    allocate(con)

    assert buckets(con) == [("__unallocated", "__unallocated", "19")]


def test_unused_capacity_is_idle(con, tmp_path):
    two_apps(con)
    bill(
        con,
        tmp_path,
        f"G-1,gemini,2026-10,1000.00,USD,gemini-3.8-flash,input,commitment,{8 * UNITS},tokens,L1",
        header=LINES.replace("line_id", "quantity,quantity_unit,line_id"),
    )

    report = allocate(con)

    # 2 of 8 billion tokens were used.
    assert split(con) == {"search": usd("187.5"), "chatbot": usd("62.5"), "__idle": usd("750")}
    assert not report.rows[0].unallocated
    assert check_split(con, TOTALS).faults == ()


def test_capacity_may_stand_in_the_policy(con, tmp_path):
    two_apps(con)
    bill(
        con,
        tmp_path,
        "G-1,gemini,2026-10,100.00,USD,gemini-3.8-flash,,commitment,L1",
        header=LINES,
    )
    capacity = {"provider": "gemini", "capacity_tokens": 4 * UNITS}
    platform = {"policy": "owner", "team": "platform", "service": "shared"}

    allocate(con, commitment=[capacity], buckets={"idle": platform})

    assert buckets(con) == [("__idle", "shared", "5E+1")]


POLICIES = {
    "hold": [("__unallocated", "__unallocated", "1E+2")],
    "even": [("__unallocated", "chatbot", "5E+1"), ("__unallocated", "search", "5E+1")],
    "proportional": [("__unallocated", "chatbot", "25"), ("__unallocated", "search", "75")],
}


@pytest.mark.parametrize("policy", POLICIES)
def test_unallocated_money_is_spread_as_asked_and_stays_in_sight(con, tmp_path, policy):
    two_apps(con)
    bill(con, tmp_path, "G-1,gemini,2026-10,40.00,USD")
    con.execute("UPDATE invoice SET total = 140")

    # What a total has beyond its lines is the bucket rounding.
    allocate(con, buckets={"rounding": policy})

    assert buckets(con) == [
        ("__rounding", service.replace("__unallocated", "__rounding"), amount)
        for _, service, amount in POLICIES[policy]
    ]
    for by in ("app", "feature", "user", "request"):
        assert sum(split(con, by).values()) == usd("140")


def test_fixed_shares_leave_the_rest_in_the_bucket(con, tmp_path):
    two_apps(con)
    bill(con, tmp_path, "X-1,xai,2026-10,10.00,USD")
    shares = [
        {"team": "a", "service": "x", "percent": "60"},
        {"team": "b", "service": "y", "percent": 30.5},
    ]

    allocate(con, buckets={"unallocated": {"policy": "fixed", "shares": shares}})

    assert buckets(con) == [
        ("__unallocated", "__unallocated", "0.95"),
        ("__unallocated", "x", "6"),
        ("__unallocated", "y", "3.05"),
    ]


def test_adjustments_of_a_past_month_follow_that_month(con, tmp_path):
    september = LATER.replace(tzinfo=None, month=9)
    add_call(con, "s1", "old", "3", occurred_at=september)
    add_call(con, "s2", "chatbot", "1", occurred_at=september)
    bill(con, tmp_path, "G-9,gemini,2026-09,40.00,USD", name="september.csv")
    two_apps(con)
    bill_with_adjustment_of(con, tmp_path, "2026-09-01")

    allocate(con)
    first = buckets(con)
    allocate(con)

    assert first == [("__adjustment", "chatbot", "-2"), ("__adjustment", "old", "-6")]
    assert buckets(con) == first
    assert sum(split(con).values()) == usd("132")


def test_adjustments_of_a_frozen_month_follow_what_was_frozen(con, tmp_path):
    add_call(con, "s1", "old", "3", occurred_at=LATER.replace(tzinfo=None, month=9))
    bill(con, tmp_path, "G-9,gemini,2026-09,40.00,USD", name="september.csv")
    allocate(con)
    review(con, RULES, "2026-09", "ana", LATER)
    sign_off(con, RULES, "2026-09", "bob", LATER)
    freeze(con, tmp_path, RULES, "2026-09", "bob", LATER)
    two_apps(con)
    bill_with_adjustment_of(con, tmp_path, "2026-09-01")

    allocate(con)

    assert buckets(con) == [("__adjustment", "old", "-8")]


def test_adjustments_of_a_month_that_nobody_knows_are_unallocated(con, tmp_path):
    two_apps(con)
    bill_with_adjustment_of(con, tmp_path, "2025-01-01")

    allocate(con)

    assert buckets(con) == [("__unallocated", "__unallocated", "-8")]


def test_spreading_over_nobody_holds():
    assert spread(7, Policy("even"), []) == [(None, 7)]
    assert spread(7, Policy("proportional"), [(AppKey("a", "x"), 0)]) == [(None, 7)]


@pytest.mark.parametrize("amount", [0, 1, 7, -7, 10**30 + 1])
@pytest.mark.parametrize("name", ["hold", "even", "proportional"])
def test_parts_of_a_bucket_sum_to_it(amount, name):
    apps = [(AppKey("a", "x"), 3), (AppKey("b", "y"), 5), (AppKey(None, None), 1)]

    assert sum(share for _, share in spread(amount, Policy(name), apps)) == amount


WRONG = (
    ({"bucket": {}}, "Unknown key 'bucket'"),
    ({"buckets": {"lost": "hold"}}, "Unknown bucket 'lost'"),
    ({"buckets": {"idle": "random"}}, "Unknown policy 'random'"),
    ({"buckets": {"idle": {"policy": "owner"}}}, "Give team, service"),
    ({"buckets": {"idle": {"policy": "fixed"}}}, "needs shares"),
    (
        {"buckets": {"idle": {"policy": "fixed", "shares": [{"team": "a", "percent": 101}]}}},
        "expected 0 to 100",
    ),
    ({"commitment": [{"provider": "openai"}]}, "expected tokens a month"),
    ({"commitment": {}}, "write \\[\\[allocation.commitment\\]\\]"),
)


@pytest.mark.parametrize(("allocation", "text"), WRONG)
def test_policies_nobody_can_read_are_refused(allocation, text):
    with pytest.raises(ConfigError, match=text):
        read_policies({"allocation": allocation})
