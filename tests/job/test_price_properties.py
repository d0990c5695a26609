"""Prices add up, do not depend on order, and are never negative."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import add, load_table, run

RATES = {
    "input_cost_per_token": 1.37e-06,
    "output_cost_per_token": 9.1e-06,
    "cache_read_input_token_cost": 1.1e-07,
    "output_cost_per_reasoning_token": 1.142857142857143e-07,
}
COUNTS = st.integers(0, 10_000_000)
USAGES = st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    with open_warehouse(tmp_path_factory.mktemp("home")) as con:
        load_table(con, {"gpt-4o": RATES})
        yield con


def usage(uncached, cached, text, reasoning):
    return {
        "prompt_tokens": uncached + cached,
        "completion_tokens": text + reasoning,
        "total_tokens": uncached + cached + text + reasoning,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def costs_of(con, usages):
    """Estimated cost of each usage, priced together in one run."""
    for table in ("receipt", "receipt_meters", "receipt_price"):
        con.execute(f"DELETE FROM {table}")
    for number, parts in enumerate(usages):
        add(con, f"r{number:04d}", usage=usage(*parts))
    run(con)
    sql = "SELECT estimated_cost_usd FROM receipt_price ORDER BY receipt_id"
    return [cost for (cost,) in con.execute(sql).fetchall()]


quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@quick
@given(USAGES)
def test_one_call_costs_what_its_parts_cost(con, usages):
    together = tuple(sum(column) for column in zip(*usages, strict=True))

    *parts, whole = costs_of(con, [*usages, together])

    assert sum(parts) == whole


@quick
@given(USAGES)
def test_order_of_receipts_changes_no_price(con, usages):
    assert costs_of(con, usages) == costs_of(con, usages[::-1])[::-1]


@quick
@given(USAGES)
def test_no_price_is_negative(con, usages):
    assert min(costs_of(con, usages)) >= 0
