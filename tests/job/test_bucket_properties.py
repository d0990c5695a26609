"""Whatever lines, categories, policies and currency are: the money is all there, twice alike."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anchor_autopatch.job.allocation import allocate_open_periods, read_policies
from anchor_autopatch.job.variance import VarianceRules, find_variances
from anchor_autopatch.job.verify.sums import check_invoices, check_split
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW, add_call, bill

HEADER = (
    "invoice_id,provider,period,amount,currency,model,meter,tier,charge_category,"
    "quantity,quantity_unit,line_id"
)
MODELS = ("gemini-pro", "gemini-image")
CATEGORIES = ("usage", "credit", "tax", "fee", "adjustment", "refund", "commitment")
OWNER = {"policy": "owner", "team": "platform", "service": "shared"}
FIXED = {"policy": "fixed", "shares": [{"service": "a", "percent": 33.3}]}
TOTALS = {"anchored": 0, "invoices": 0}
TABLES = ("cost_split", "receipt_anchor", "line_match", "variance_line", "variance_action")

COSTS = st.integers(0, 10**9).map(lambda nano: str(Decimal(nano).scaleb(-9)))
CALLS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(MODELS),
        st.sampled_from(("standard", "batch")),
        COSTS | st.none(),
    ),
    max_size=8,
)
LINES = st.lists(
    st.tuples(
        st.integers(-(10**8), 10**9),
        st.sampled_from(("", *MODELS)),
        st.sampled_from(("", "input")),
        st.sampled_from(("", "batch")),
        st.sampled_from(CATEGORIES),
        st.none() | st.integers(1, 10**10),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
).filter(lambda lines: sum(line[0] for line in lines) >= 0)
POLICIES = st.dictionaries(
    st.sampled_from(("unallocated", "untracked", "idle", "rounding")),
    st.sampled_from(("hold", "even", "proportional", OWNER, FIXED)),
)

pytestmark = pytest.mark.slow
# One warehouse serves all examples, emptied before each: making one takes longer than using it.
few = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def warehouse(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con, tmp_path


def landed(warehouse, calls, lines, currency):
    """An empty warehouse with just these calls and one invoice of these lines."""
    con, folder = warehouse
    emptied = ("receipt", "receipt_meters", "receipt_price", "invoice", "invoice_line", *TABLES)
    for table in emptied:
        con.execute(f"DELETE FROM {table}")
    for number, (service, model, tier, cost) in enumerate(calls):
        add_call(con, f"r{number}", service, cost, model=model, tier=tier, request_id=f"q{number}")
    rows = []
    for number, (micro, model, meter, tier, category, quantity, _) in enumerate(lines):
        unit = "tokens" if quantity else ""
        amount = Decimal(micro).scaleb(-6)
        rows.append(
            f"G-1,gemini,2026-10,{amount},{currency},{model},{meter},{tier},{category},"
            f"{quantity or ''},{unit},L{number}"
        )
    bill(con, folder, *rows, header=HEADER)
    for number, line in enumerate(lines):
        if line[-1]:
            con.execute(
                "UPDATE invoice_line SET period_start = '2026-09-01' WHERE line_id = ?",
                [f"L{number}"],
            )
    return con


def divided(con, policies):
    allocate_open_periods(con, NOW, policies=policies)
    find_variances(con, VarianceRules(), {}, NOW)
    return [con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in TABLES]


@few
@given(calls=CALLS, lines=LINES, buckets=POLICIES, currency=st.sampled_from(("USD", "JPY", "BHD")))
def test_every_split_ties_and_twice_is_once(warehouse, calls, lines, buckets, currency):
    policies = read_policies({"allocation": {"buckets": buckets}})
    con = landed(warehouse, calls, lines, currency)

    first = divided(con, policies)

    assert check_split(con, TOTALS).faults == ()
    assert check_invoices(con, TOTALS).faults == ()
    assert divided(con, policies) == first


@few
@given(calls=CALLS, lines=LINES, buckets=POLICIES)
def test_what_no_call_explains_names_its_bucket(warehouse, calls, lines, buckets):
    con = landed(warehouse, calls, lines, "USD")

    divided(con, read_policies({"allocation": {"buckets": buckets}}))

    assert con.execute("SELECT * FROM app_cost WHERE calls = 0 AND bucket IS NULL").fetchall() == []
