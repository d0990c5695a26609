"""Every difference between an invoice and its estimate has one name, evidence and an owner."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.allocation import allocate_open_periods, read_policies
from anchor_autopatch.job.close import review, sign_off
from anchor_autopatch.job.close.acting import assign, settle
from anchor_autopatch.job.close.events import Act
from anchor_autopatch.job.invoices import TypedTotal, add_total
from anchor_autopatch.job.variance import actions, find_variances, read_variance_rules
from anchor_autopatch.job.variance.classifying import Invoice, OtherLine, Unit, classify
from anchor_autopatch.job.variance.rules import VarianceRules
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW, UNITS, add_call, bill, insert
from tests.job.closed import LATER, RULES

LINES = "invoice_id,provider,period,amount,currency,model,meter,quantity,quantity_unit,line_id"
CATEGORIES = "invoice_id,provider,period,amount,currency,charge_category,line_id"


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def found(con, **config):
    """(category, amount, flagged) of every variance, largest first."""
    rules = read_variance_rules({"variance": config})
    policies = read_policies({})
    allocate_open_periods(con, NOW, policies=policies, variance_rules=rules)
    find_variances(con, rules, {}, NOW)
    sql = "SELECT category, amount, flagged FROM variance_line ORDER BY abs(amount) DESC, category"
    return [(name, f"{amount:.2f}", flag) for name, amount, flag in con.execute(sql).fetchall()]


def line(amount, model="gemini-3.8-flash", quantity=UNITS, meter="input", number=1):
    return f"G-1,gemini,2026-10,{amount},USD,{model},{meter},{quantity},tokens,L{number}"


def test_same_quantity_at_another_price_is_price_drift(con, tmp_path):
    add_call(con, "r1", "chatbot", "100")
    bill(con, tmp_path, line("120.00"), header=LINES)

    assert found(con) == [("price_drift", "20.00", True)]


def test_quantities_beyond_the_receipts_are_missing_capture(con, tmp_path):
    add_call(con, "r1", "chatbot", "100")
    bill(con, tmp_path, line("150.00", quantity=UNITS * 3 // 2), header=LINES)

    assert found(con) == [("missing_capture", "50.00", False)]


def test_quantities_below_the_receipts_are_the_providers(con, tmp_path):
    add_call(con, "r1", "chatbot", "100")
    bill(con, tmp_path, line("80.00", quantity=UNITS * 4 // 5), header=LINES)

    assert found(con) == [("provider_delta", "-20.00", False)]


def test_receipts_on_the_way_are_late_not_missing(con, tmp_path):
    add_call(con, "r1", "chatbot", "100")
    insert(
        con,
        "outbox",
        outbox_id="o",
        path="p",
        created_at="2026-10-01",
        rows_dropped=0,
        watermark=1,
        state="open",
        first_shipped_at="2026-10-12",
        last_shipped_at="2026-10-12",
    )
    bill(con, tmp_path, line("150.00", quantity=UNITS * 3 // 2), header=LINES)

    assert found(con) == [("late_receipts", "50.00", False)]


def test_the_same_discount_everywhere_is_a_contract(con, tmp_path):
    add_call(con, "r1", "chatbot", "100")
    add_call(con, "r2", "imagegen", "200", model="gemini-image")
    bill(con, tmp_path, line("90.00"), line("180.00", "gemini-image", number=2), header=LINES)

    assert found(con) == [
        ("contract_discount", "-20.00", False),
        ("contract_discount", "-10.00", False),
    ]


def test_a_discount_on_one_model_alone_is_no_contract(con, tmp_path):
    add_call(con, "r1", "chatbot", "100")
    add_call(con, "r2", "imagegen", "200", model="gemini-image")
    bill(con, tmp_path, line("90.00"), line("200.00", "gemini-image", number=2), header=LINES)

    assert found(con) == [("price_drift", "-10.00", True)]


def test_lines_of_a_model_without_receipts_are_a_tagging_failure(con, tmp_path):
    add_call(con, "r1", "chatbot", "100")
    bill(con, tmp_path, line("100.00"), line("30.00", "gemini-pro", number=2), header=LINES)

    # Its receipts exist under another model name, or nowhere: all calls share the line.
    assert found(con) == [("tagging_failure", "30.00", True)]


def test_receipts_of_another_account_are_a_tagging_failure(con, tmp_path):
    add_call(con, "r1", "chatbot", "60", provider_account="acme-2")
    bill(
        con,
        tmp_path,
        "G-1,gemini,2026-10,100.00,USD,acme-1",
        header="invoice_id,provider,period,amount,currency,account",
    )

    assert found(con) == [("tagging_failure", "60.00", False), ("missing_capture", "40.00", False)]


def test_credits_taxes_and_fees_are_told_apart_from_usage(con, tmp_path):
    add_call(con, "r1", "chatbot", "100")
    bill(
        con,
        tmp_path,
        "G-1,gemini,2026-10,100.00,USD,usage,L1",
        "G-1,gemini,2026-10,-15.00,USD,credit,L2",
        "G-1,gemini,2026-10,20.00,USD,tax,L3",
        "G-1,gemini,2026-10,-3.00,USD,adjustment,L4",
        header=CATEGORIES,
    )

    assert found(con) == [
        ("credits_tax", "20.00", False),
        ("credits_tax", "-15.00", False),
        ("provider_delta", "-3.00", False),
    ]


def test_a_typed_total_alone_explains_nothing(con):
    add_call(con, "r1", "chatbot", "93")
    add_total(con, TypedTotal("gemini", "2026-10", "100.00", "USD"), NOW)

    assert found(con) == [("unexplained", "7.00", False)]


def test_calls_without_a_price_are_named(con, tmp_path):
    add_call(con, "r1", "chatbot", None)
    bill(con, tmp_path, line("40.00"), header=LINES)

    assert found(con) == [("price_drift", "40.00", True)]


def test_small_lines_flag_by_their_own_share(con, tmp_path):
    add_call(con, "r1", "chatbot", "8")
    row = "G-1,gemini,2026-10,10.00,USD,gemini-3.8-flash,input,,,L1"
    bill(con, tmp_path, row, header=LINES)

    assert found(con) == [("unexplained", "2.00", True)]
    assert found(con, line_percent=25) == [("unexplained", "2.00", False)]


def test_actions_keep_their_id_owner_and_age(con, tmp_path):
    add_call(con, "r1", "chatbot", "100")
    bill(con, tmp_path, line("120.00"), header=LINES)
    found(con)
    (first,) = actions(con, NOW)
    found(con)
    (again,) = actions(con, NOW.replace(day=27))

    assert again == first._replace(age_days=5)
    assert (again.category, again.owner, again.state) == ("price_drift", "pricing", "open")


def test_an_action_is_assigned_and_settled(con, tmp_path):
    add_call(con, "r1", "chatbot", "100")
    bill(con, tmp_path, line("120.00"), header=LINES)
    found(con)
    (action,) = actions(con, NOW)

    assign(con, RULES, action.action_id, "dora", Act("ana", "", LATER))
    assigned = actions(con, NOW)[0]
    settle(con, RULES, action.action_id, Act("ana", "new price list", LATER))

    assert (assigned.owner, assigned.state) == ("dora", "assigned")
    assert (actions(con, NOW)[0].state, actions(con, NOW)[0].note) == ("settled", "new price list")


def test_a_variance_that_is_mended_is_gone(con, tmp_path):
    add_call(con, "r1", "chatbot", "100")
    bill(con, tmp_path, line("120.00"), header=LINES)
    found(con)

    con.execute("UPDATE rate SET input_tokens_usd = 120.0 / 1000000000")
    con.execute("UPDATE receipt_price SET estimated_cost_usd = 120")

    assert found(con) == []
    assert actions(con, NOW)[0].state == "gone"


def test_a_month_is_signed_off_when_its_variances_are_settled(con, tmp_path):
    add_call(con, "r1", "chatbot", "100", team="support")
    bill(con, tmp_path, line("120.00"), header=LINES)
    found(con)
    review(con, RULES, "2026-10", "ana", LATER)

    with pytest.raises(ConfigError, match="1 variances of 2026-10 are not settled"):
        sign_off(con, RULES, "2026-10", "bob", LATER)
    settle(con, RULES, actions(con, NOW)[0].action_id, Act("ana", "accepted", LATER))

    assert sign_off(con, RULES, "2026-10", "bob", LATER) == []


NANO = st.integers(-(10**13), 10**13)
UNIT = st.builds(
    Unit,
    model=st.sampled_from(("", "a", "b")),
    meter=st.sampled_from(("", "input")),
    tier=st.just(""),
    is_coarse=st.booleans(),
    amount=NANO,
    list_amount=st.none() | NANO,
    untracked=st.just(0) | st.integers(0, 10**12),
    estimated=st.integers(0, 10**13),
    unpriced_count=st.integers(0, 2),
    invoiced_quantity=st.none() | st.integers(0, 10**15),
    counted_quantity=st.integers(0, 10**15),
    named_models=st.sampled_from(("", "a")),
)
KINDS = ("credit", "tax", "fee", "refund", "adjustment", "rounding", "usage", "commitment", "idle")
OTHER = st.builds(OtherLine, st.sampled_from(KINDS), st.booleans(), NANO, st.integers(1, 5))


@given(st.lists(UNIT, max_size=5), st.lists(OTHER, max_size=5), NANO, st.integers(0, 10**13))
def test_parts_always_sum_to_the_difference(units, others, elsewhere, more):
    estimated = sum(unit.estimated for unit in units) + more
    total = sum(unit.amount for unit in units) + sum(line.amount for line in others)
    invoice = Invoice(
        *("2026-10", "gemini", "", "G-1", "USD", 2, total, estimated, max(0, elsewhere), 0)
    )

    parts = classify(invoice, others, units, VarianceRules())

    assert sum(part.amount for part in parts) == total - estimated


WRONG = (
    ({"variance": []}, "expected a table"),
    ({"variance": {"percents": 1}}, "Unknown key 'percents'"),
    ({"variance": {"percent": -1}}, "expected 0 or more"),
    ({"variance": {"floor": "many"}}, "expected 0 or more"),
    ({"variance": {"floor": True}}, "expected 0 or more"),
)


@pytest.mark.parametrize(("config", "text"), WRONG)
def test_limits_nobody_can_read_are_refused(config, text):
    with pytest.raises(ConfigError, match=text):
        read_variance_rules(config)


def test_limits_come_from_the_policy():
    rules = read_variance_rules({"variance": {"percent": 2.5, "floor": "1000.00"}})

    assert (rules.ratio, rules.floor) == (Decimal("0.025"), Decimal("1000.00"))
