"""Whatever the receipts and the lines are: the money is all there, and nothing but the money."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import add_call, allocate, bill

LINES = "invoice_id,provider,period,amount,currency,model,meter,line_id"
MODELS = ("gemini-pro", "gemini-flash", "gemini-image")
METERS = ("input_tokens", "output_tokens")

COSTS = st.integers(0, 10**9).map(lambda femto: str(Decimal(femto).scaleb(-9)))
CALLS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(MODELS),
        st.dictionaries(st.sampled_from(METERS), COSTS | st.none(), max_size=2),
    ),
    max_size=12,
)
AMOUNTS = st.integers(-(10**9), 10**10).map(lambda amount: str(Decimal(amount).scaleb(-6)))
INVOICE_LINES = st.lists(
    st.tuples(AMOUNTS, st.sampled_from(("", *MODELS)), st.sampled_from(("", "input", "output"))),
    min_size=1,
    max_size=8,
).filter(lambda lines: sum(Decimal(amount) for amount, *_ in lines) >= 0)

TABLES = ("cost_split", "receipt_anchor", "line_match")
SPLITS = ("app", "feature", "user", "request")

pytestmark = pytest.mark.slow
# One warehouse serves all examples, emptied before each: making one takes longer than using it.
few = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def warehouse(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con, tmp_path


def allocated(warehouse, calls, lines):
    """Rows of the result tables by their columns, after one allocation of just these."""
    con, folder = warehouse
    for table in ("receipt", "receipt_meters", "receipt_price", "invoice", "invoice_line"):
        con.execute(f"DELETE FROM {table}")
    for receipt_id, (service, model, costs) in calls:
        known = dict.fromkeys(costs) if None in costs.values() else costs
        add_call(con, receipt_id, service, known, model=model, request_id=receipt_id)
    rows = [
        f"G-1,gemini,2026-10,{amount},USD,{model},{meter},{number}"
        for number, (amount, model, meter) in lines
    ]
    bill(con, folder, *rows, header=LINES)
    allocate(con)
    return {table: as_dicts(con.execute(f"SELECT * FROM {table} ORDER BY ALL")) for table in TABLES}


def as_dicts(found):
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def numbered(values):
    return [(f"n{number:03}", value) for number, value in enumerate(values)]


def cents(lines):
    return Decimal(round(Fraction(sum(Decimal(amount) for amount, *_ in lines)) * 100)) / 100


@few
@given(calls=CALLS, lines=INVOICE_LINES)
def test_every_split_sums_to_the_invoice(warehouse, calls, lines):
    tables = allocated(warehouse, numbered(calls), numbered(lines))

    sums = dict.fromkeys(SPLITS, Decimal(0))
    for row in tables["cost_split"]:
        sums[row["split"]] += row["anchored_cost"]
    assert sums == dict.fromkeys(SPLITS, cents(lines))


@few
@given(calls=CALLS, lines=INVOICE_LINES)
def test_receipts_carry_every_line_that_found_one(warehouse, calls, lines):
    tables = allocated(warehouse, numbered(calls), numbered(lines))

    carried = sum(row["anchored_cost"] for row in tables["receipt_anchor"])
    matched = sum(
        row["amount"]
        for row in tables["line_match"]
        if row["match_level"] not in ("unallocated", "rounding")
    )
    assert abs(carried - matched) < Decimal("1e-15")
    assert sum(row["amount"] for row in tables["line_match"]) == cents(lines)


@few
@given(calls=CALLS, lines=INVOICE_LINES)
def test_each_request_is_less_than_a_cent_from_exact(warehouse, calls, lines):
    tables = allocated(warehouse, numbered(calls), numbered(lines))

    exact = {row["receipt_id"]: row["anchored_cost"] for row in tables["receipt_anchor"]}
    requests = [row for row in tables["cost_split"] if row["split"] == "request" and row["calls"]]
    assert all(
        abs(row["anchored_cost"] - exact.get(row["request_id"], 0)) < Decimal("0.01")
        for row in requests
    )


@few
@given(calls=CALLS, lines=INVOICE_LINES, random=st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(warehouse, calls, lines, random):
    named_calls, named_lines = numbered(calls), numbered(lines)
    first = allocated(warehouse, named_calls, named_lines)

    random.shuffle(named_calls)
    random.shuffle(named_lines)

    assert allocated(warehouse, named_calls, named_lines) == first
