"""A shipment whose clock is behind is measured and priced by the next run, however far behind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from anchor_autopatch.job.ship import ship
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.outboxes import left_behind, receipt
from tests.job.priced import NOW, load_table, run


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        load_table(con, {"gpt-4o": {"input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06}})
        yield con


def ship_one(con, home, number, at):
    left_behind(home, receipt(number), name=f"writer-{number}")
    ship(con, [home], at)


def test_receipt_of_a_shipment_with_an_old_instant_is_priced(con, tmp_path):
    ship_one(con, tmp_path, 1, NOW)
    run(con, NOW)

    # As by a side-car that took the time and then waited three hours for the warehouse.
    ship_one(con, tmp_path, 2, NOW - timedelta(hours=3))
    report = run(con, NOW + timedelta(minutes=1))

    assert (report.receipt_count, report.changed_count) == (1, 1)
    counts = "SELECT COUNT(*), COUNT(DISTINCT receipt_id) FROM receipt_price"
    assert con.execute(counts).fetchone() == (2, 2)


def test_run_with_nothing_new_looks_at_nothing(con, tmp_path):
    ship_one(con, tmp_path, 1, NOW - timedelta(hours=3))
    run(con, NOW)

    report = run(con, NOW + timedelta(minutes=1))

    assert report.receipt_count == 0


def test_warehouse_of_an_older_version_looks_at_every_shipment_once(con, tmp_path):
    ship_one(con, tmp_path, 1, NOW - timedelta(hours=3))
    run(con, NOW)
    ship_one(con, tmp_path, 2, NOW - timedelta(hours=3))
    con.execute("UPDATE pricing_run SET shipment_count = NULL")

    report = run(con, NOW + timedelta(minutes=1))

    assert report.changed_count == 1
