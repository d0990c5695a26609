"""Receipts of one rate are divided as one: each still carries its exact share, in any currency."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from anchor_autopatch.job.allocation import allocate_open_periods
from anchor_autopatch.job.allocation.statements import statements
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW, OCTOBER, add_meters, add_rate, bill, insert

LINES = "invoice_id,provider,period,amount,currency,model,meter,line_id"
CURRENCIES = {"USD": 2, "JPY": 0, "KWD": 3}
QUANTITIES = st.lists(st.integers(0, 10**7), min_size=2, max_size=8)
TOTALS = st.integers(0, 10**12)
TABLES = ("cost_split", "receipt_anchor", "line_match", "reconciliation")

pytestmark = pytest.mark.slow
few = settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    quantities=st.lists(st.integers(1, 2**32 - 1), min_size=1, max_size=50),
    atto=st.integers(-(10**33), 10**33),
)
@example(quantities=[2**32 - 1], atto=10**33)
@example(quantities=[1] * 7, atto=-1)
def test_shares_by_quantity_are_exact_to_one_unit(con, quantities, atto):
    whole = sum(quantities)
    factor = {
        "sign": (atto > 0) - (atto < 0),
        "whole": abs(atto) // whole,
        "fine": ((abs(atto) % whole) << 34) // whole,
    }
    con.execute(statements()["quantity_share_macro"])
    shares = con.execute(
        "SELECT quantity_share(q, {'sign': $sign::HUGEINT, 'whole': $whole::HUGEINT,"
        " 'fine': $fine::BIGINT}) FROM (SELECT unnest($quantities::UINTEGER[]) AS q)",
        {**factor, "quantities": quantities},
    ).fetchall()

    off = [
        share - Fraction(atto * q, whole) for (share,), q in zip(shares, quantities, strict=True)
    ]
    assert max(map(abs, off)) < 1
    assert len(quantities) > 1 or shares == [(atto,)]


def divide(con, folder, quantities, total, currency, order=None):
    """Calls of one rate, model and day with these many tokens, and an invoice over them."""
    for table in ("receipt", "receipt_meters", "receipt_price", "invoice", "invoice_line"):
        con.execute(f"DELETE FROM {table}")
    rate_id = add_rate(con, {"input_tokens": "2500"})
    for number in order or range(len(quantities)):
        name = f"r{number:03}"
        insert(
            con,
            "receipt",
            **{"receipt_id": name, "occurred_at": OCTOBER, "service": f"s{number % 3}"},
            **{"request_id": name, "provider": "gemini", "provider_account": ""},
            **{"response_model": "gemini-3.8-flash", "billable": True, "outbox_id": "o"},
            **{"writer_seq": number, "shipped_at": NOW},
        )
        add_meters(con, name, {"input_tokens": quantities[number]})
        insert(
            con,
            "receipt_price",
            **{"receipt_id": name, "resolution_rule": "test", "price_status": "priced"},
            **{"rate_id": rate_id, "priced_at": NOW},
            estimated_cost_usd=Decimal("0.0000025") * quantities[number],
        )
    amount = Decimal(total).scaleb(-CURRENCIES[currency])
    bill(con, folder, f"G-1,gemini,2026-10,{amount:f},{currency},,,L1", header=LINES)
    allocate_open_periods(con, NOW)
    return amount


def tables(con):
    return [con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in TABLES]


CASES = given(quantities=QUANTITIES, total=TOTALS, currency=st.sampled_from(sorted(CURRENCIES)))


@few
@CASES
@example(quantities=[0, 0, 0], total=1000, currency="USD")
@example(quantities=[1] * 9, total=7, currency="JPY")
def test_each_receipt_carries_its_exact_share_in_any_currency(
    con, tmp_path, quantities, total, currency
):
    amount = divide(con, tmp_path, quantities, total, currency)

    # Calls without any token weigh nothing, but where no call has one: then each weighs the same.
    weights = quantities if any(quantities) else [1] * len(quantities)
    exact = {f"r{n:03}": Fraction(amount) * w / sum(weights) for n, w in enumerate(weights)}
    carried = dict(con.execute("SELECT receipt_id, anchored_cost FROM receipt_anchor").fetchall())
    assert all(
        abs(Fraction(carried.get(name, 0)) - share) < Fraction(2, 10**18)
        for name, share in exact.items()
    )


@few
@CASES
def test_cents_sum_to_the_invoice_and_miss_by_less_than_one(
    con, tmp_path, quantities, total, currency
):
    amount = divide(con, tmp_path, quantities, total, currency)

    carried = dict(con.execute("SELECT receipt_id, anchored_cost FROM receipt_anchor").fetchall())
    sql = "SELECT request_id, anchored_cost FROM request_cost WHERE request_id IS NOT NULL"
    cents = dict(con.execute(sql).fetchall())
    unit = Decimal(1).scaleb(-CURRENCIES[currency])
    assert con.execute("SELECT sum(anchored_cost) FROM request_cost").fetchone()[0] == amount
    assert all(abs(cost - carried.get(name, 0)) < unit for name, cost in cents.items())


@few
@CASES
def test_a_rerun_is_the_same_to_the_last_digit(con, tmp_path, quantities, total, currency):
    divide(con, tmp_path, quantities, total, currency)
    first = tables(con)
    # Forgotten what was divided, so that the same work is done again.
    con.execute("DELETE FROM division_run")
    allocate_open_periods(con, NOW)

    assert tables(con) == first


@few
@given(
    quantities=QUANTITIES,
    total=TOTALS,
    currency=st.sampled_from(sorted(CURRENCIES)),
    random=st.randoms(use_true_random=False),
)
def test_the_order_of_calls_does_not_matter(con, tmp_path, quantities, total, currency, random):
    divide(con, tmp_path, quantities, total, currency)
    first = tables(con)
    order = list(range(len(quantities)))
    random.shuffle(order)
    divide(con, tmp_path, quantities, total, currency, order)

    assert tables(con) == first
