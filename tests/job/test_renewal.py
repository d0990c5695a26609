"""An upgrade that reads more out of the same fields reaches a warehouse that is there already."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from anchor_autopatch.job.rates import ContractTerms, set_rate
from anchor_autopatch.job.rates.card import parse_fields
from anchor_autopatch.job.rates.card.fields import canonical, sheet_id
from anchor_autopatch.job.rates.contracts import OPEN_END
from anchor_autopatch.job.rates.renewal import renew_sheets
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import NOON, NOW, add, cost, load_table, run

LATER = NOW + timedelta(days=1)
OCR = {"ocr": {"mode": "ocr", "ocr_cost_per_page": 0.002, "ocr_cost_per_page_batches": 0.001}}
PAGES = {"usage_info": {"pages_processed": 4}}


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        load_table(con, OCR)
        yield con


def age(con):
    """Makes the warehouse one of the first version, which knew no batch rate of a page."""
    rows = con.execute("SELECT rate_sheet_id, fields, units_with_tokens FROM rate_sheet").fetchall()
    for sheet, fields, units in rows:
        first = sheet_id(f"{canonical(parse_fields(fields))}{units:d}")
        for table in ("rate_sheet", "rate", "rate_observation", "rate_segment"):
            sql = f"UPDATE {table} SET rate_sheet_id = ? WHERE rate_sheet_id = ?"
            con.execute(sql, [first, sheet])
    con.execute("UPDATE rate_sheet SET card_version = NULL, units_with_tokens = NULL")
    con.execute("UPDATE rate SET rate_id = XOR(rate_id, 1::UBIGINT)")
    con.execute("UPDATE rate SET pages_usd = 0.002 WHERE pages_usd IS NOT NULL")


def add_pages(con, name, **facts):
    add(con, name, request_model="ocr", usage=PAGES, usage_shape=None, facts=facts)


def test_pages_of_a_batch_have_their_own_rate(con):
    add_pages(con, "now")
    add_pages(con, "batch", batch=True)

    run(con)

    assert (cost(con, "now"), cost(con, "batch")) == (Decimal("0.008"), Decimal("0.004"))


def test_described_pages_bill_as_read_without_a_rate_of_their_own(con):
    usage = {"usage_info": {"pages_processed": 4, "pages_processed_annotation": 2}}
    add(con, request_model="ocr", usage=usage, usage_shape=None)

    run(con)

    assert cost(con) == Decimal("0.012")


def test_older_sheets_are_built_again_and_prices_follow(con):
    age(con)
    add_pages(con, "batch", batch=True)
    run(con)
    assert cost(con, "batch") == Decimal("0.008")

    renewed = renew_sheets(con, LATER)
    run(con, LATER)

    assert (renewed, cost(con, "batch")) == (1, Decimal("0.004"))


def test_renewal_keeps_when_rates_hold(con):
    load_table(con, {"ocr": OCR["ocr"] | {"ocr_cost_per_page": 0.004}}, seen=LATER, now=LATER)
    sql = """
        SELECT model_key, valid_from, valid_to, rate_card_id
        FROM rate_segment
        WHERE superseded_at IS NULL
        ORDER BY ALL
    """
    before = con.execute(sql).fetchall()
    age(con)

    renew_sheets(con, LATER)

    assert len(before) == 2
    assert con.execute(sql).fetchall() == before


def test_renewed_contract_still_prices_images_beside_tokens(con):
    terms = ContractTerms(
        "gpt-4o", "openai", {"image": "0.04"}, NOON - timedelta(days=2), OPEN_END, "form", "ann"
    )
    set_rate(con, terms, replace=False, now=NOW)
    add(con, facts={"images": 2})
    run(con)
    before = cost(con)
    age(con)

    renew_sheets(con, LATER)
    run(con, LATER)

    assert (before, cost(con)) == (Decimal("0.08"), Decimal("0.08"))


def test_renewing_twice_does_nothing(con):
    age(con)
    renew_sheets(con, LATER)

    assert renew_sheets(con, LATER) == 0
