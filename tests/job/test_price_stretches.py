"""Receipts are priced in stretches of rows: where one ends changes no price, none is left out."""

from __future__ import annotations

from decimal import Decimal

import pytest

from anchor_autopatch.job.pricing import prices
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import add, load_table, priced, run

RATES = {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}
IMAGE = {"output_cost_per_image": 0.04, "litellm_provider": "openai", "mode": "image_generation"}
PRICES = "SELECT * EXCLUDE (priced_at) FROM receipt_price ORDER BY receipt_id"


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        models = {"gpt-4o": RATES, "gpt-4o-mini": {"input_cost_per_token": 5e-07}}
        load_table(con, models | {"1024-x-1024/dall-e-3": IMAGE})
        yield con


@pytest.fixture
def short(monkeypatch):
    """Stretches of four rows, which begin and end at every second one."""
    monkeypatch.setattr(prices, "_STEP", 2)
    monkeypatch.setattr(prices, "_STRETCH", 4)


def add_mixed(con):
    models = ("gpt-4o", "gpt-4o-mini", "nobody-knows")
    # Ids that do not follow the order of rows, as those of several processes do.
    for number in range(13):
        add(con, f"r{number * 7 % 13:02d}", request_model=models[number % 3])
    size = {"size": "1024x1024", "images": 2}
    image = {"usage_shape": "openai.images", "usage": None, "facts": size, "operation": "images"}
    add(con, "picture", request_model="dall-e-3", **image)


def test_where_a_stretch_ends_changes_no_price(con, short, monkeypatch):
    add_mixed(con)
    run(con)
    in_stretches = con.execute(PRICES).fetchall()

    monkeypatch.undo()
    con.execute("DELETE FROM receipt_price")
    con.execute("DELETE FROM pricing_run")
    run(con)

    assert len(in_stretches) == 14
    assert con.execute(PRICES).fetchall() == in_stretches


def test_old_receipts_without_a_price_are_priced_beside_new_ones(con, short):
    add_mixed(con)
    run(con)
    con.execute("DELETE FROM receipt_price WHERE receipt_id IN ('r00', 'r05', 'picture')")
    con.execute("DELETE FROM pricing_run")

    report = run(con)

    assert (report.receipt_count, report.changed_count) == (14, 3)
    assert con.execute("SELECT COUNT(*) FROM receipt_price").fetchone() == (14,)


def test_image_priced_by_its_size_is_found_in_any_stretch(con, short):
    add_mixed(con)

    run(con)

    assert priced(con, "picture") == ("priced", Decimal("0.08"))
