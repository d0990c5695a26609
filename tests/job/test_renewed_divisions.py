"""A run divides again what has changed, and leaves the rest as it is."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from anchor_autopatch.job.allocation import KeyMap, allocate_open_periods, read_policies
from anchor_autopatch.job.invoices import import_files
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import HEADER, NOW, add_call, bill, insert, split, usd
from tests.job.invoices.files import save

DIVIDED = NOW + timedelta(hours=1)
"""After the instant that all calls were priced."""
LATER = NOW + timedelta(days=1)
NOVEMBER = datetime.fromisoformat("2026-11-03T09:00")


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


@pytest.fixture
def divided(con, tmp_path):
    """Two months that were divided by a run before; October's rows say whether it was again."""
    add_call(con, "r1", "chatbot", "1")
    add_call(con, "r2", "search", "1", occurred_at=NOVEMBER)
    bill(con, tmp_path, "G-10,gemini,2026-10,10.00,USD")
    bill(con, tmp_path, "G-11,gemini,2026-11,20.00,USD", name="november.csv")
    allocate_open_periods(con, DIVIDED)
    return con


def divided_anew(con, now=LATER, **rules):
    """The months that a run divides, by the time that their reconciliation bears."""
    allocate_open_periods(con, now, **rules)
    sql = "SELECT period FROM reconciliation WHERE reconciled_at = ? ORDER BY period"
    return [period for (period,) in con.execute(sql, [now.replace(tzinfo=None)]).fetchall()]


def test_a_run_without_news_divides_nothing(divided):
    assert divided_anew(divided) == []
    assert split(divided) == {"chatbot": usd("10.00"), "search": usd("20.00")}


def test_a_run_without_news_still_tells_all_open_invoices(divided):
    rows = allocate_open_periods(divided, LATER).rows

    assert [row.invoice_id for row in rows] == ["G-10", "G-11"]


def test_new_calls_divide_their_month_again(divided):
    add_call(divided, "r3", "other", "3", occurred_at=NOVEMBER)

    assert divided_anew(divided) == ["2026-11"]
    assert split(divided) == {"chatbot": usd("10.00"), "search": usd("5.00"), "other": usd("15.00")}


def test_a_changed_invoice_divides_its_month_again(divided, tmp_path):
    path = save(tmp_path, f"{HEADER}\nG-10,gemini,2026-10,12.00,USD\n", "again.csv")
    import_files(divided, [path], NOW, replace=True)

    assert divided_anew(divided) == ["2026-10"]


def test_another_price_divides_its_month_again(divided):
    divided.execute(
        "UPDATE receipt_price SET estimated_cost_usd = 2, priced_at = ? WHERE receipt_id = 'r1'",
        [LATER.replace(tzinfo=None)],
    )

    assert divided_anew(divided) == ["2026-10"]


def test_another_price_of_the_same_instant_is_seen(divided):
    divided.execute(
        "UPDATE receipt_price SET estimated_cost_usd = 2, priced_at = ? WHERE receipt_id = 'r1'",
        [DIVIDED.replace(tzinfo=None)],
    )

    assert divided_anew(divided) == ["2026-10", "2026-11"]


def test_a_correction_divides_its_month_again(divided):
    insert(
        divided,
        "correction",
        **{"correction_no": 1, "correction_id": "c", "receipt_id": "r2", "field": "service"},
        **{"new_value": "right", "actor": "ana", "reason": "wrong tag", "recorded_at": LATER},
    )

    assert divided_anew(divided, LATER) == ["2026-11"]
    assert split(divided) == {"chatbot": usd("10.00"), "right": usd("20.00")}


def test_a_held_receipt_divides_its_month_again(divided):
    insert(
        divided,
        "policy_finding",
        **{"receipt_id": "r1", "occurred_at": "2026-10-12 09:00", "field": "team"},
        **{"mode": "quarantine", "policy_sha256": "p"},
    )

    assert divided_anew(divided) == ["2026-10"]


@pytest.mark.parametrize(
    "rules",
    [
        {"keys": KeyMap({"k": "p"}, {})},
        {"policies": read_policies({"allocation": {"buckets": {"rounding": "even"}}})},
        {"variance_rules": "stricter"},
    ],
    ids=["keys", "policies", "variance"],
)
def test_other_rules_divide_everything_again(divided, rules):
    assert divided_anew(divided, **rules) == ["2026-10", "2026-11"]


def test_a_clock_that_went_back_divides_everything_again(divided):
    assert divided_anew(divided, NOW - timedelta(days=1)) == ["2026-10", "2026-11"]


def test_an_adjusted_month_is_divided_with_the_one_that_adjusts_it(divided, tmp_path):
    rows = ("G-11,gemini,2026-11,21,USD,usage", "G-11,gemini,2026-11,-1,USD,refund")
    text = "\n".join((f"{HEADER},charge_category", *rows))
    import_files(divided, [save(tmp_path, text, "refund.csv")], NOW, replace=True)
    # The generic CSV has no days of its own; the sources that have them land them here.
    divided.execute("UPDATE invoice_line SET period_start = '2026-10-01' WHERE amount < 0")
    allocate_open_periods(divided, LATER)

    assert divided_anew(divided, LATER + timedelta(days=1)) == ["2026-10", "2026-11"]


def test_a_month_that_is_opened_again_is_divided(divided):
    divided.execute("UPDATE reconciliation SET status = 'frozen' WHERE period = '2026-10'")
    freezing = divided_anew(divided)
    divided.execute("UPDATE reconciliation SET status = 'reconciled' WHERE period = '2026-10'")

    assert freezing == []
    assert divided_anew(divided, LATER + timedelta(days=1)) == ["2026-10"]
