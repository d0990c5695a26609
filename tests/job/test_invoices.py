"""Invoices land once, exactly, and as one control total per provider, account and period."""

from __future__ import annotations

import gzip
import hashlib
from decimal import Decimal

import pytest

from anchor_autopatch.core.errors import InvoiceError
from anchor_autopatch.job.invoices import (
    TypedTotal,
    add_total,
    import_file,
    import_files,
    list_invoices,
)
from anchor_autopatch.job.invoices.currencies import minor_units
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import HEADER, NOW, add_call, bill, usd


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def rows(con, sql):
    return con.execute(sql).fetchall()


def typed(total, **fields):
    return TypedTotal(
        **{"provider": "openai", "period": "2026-10", "total": total, "currency": "USD"} | fields
    )


def test_a_csv_of_one_total_lands(con, tmp_path):
    (booked,) = bill(con, tmp_path, "G-1,gemini,2026-10,100.00,USD")

    assert booked == ("G-1", "gemini", "", "2026-10", usd("100.00"), "USD", 1, "imported", "")
    assert rows(
        con,
        "SELECT charge_category, period_start::VARCHAR, period_end::VARCHAR, amount_text"
        " FROM invoice_line",
    ) == [("usage", "2026-10-01 00:00:00", "2026-11-01 00:00:00", "100.00")]


def test_columns_may_come_in_any_order_with_a_byte_order_mark(con, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "currency,AMOUNT, period,provider,note,invoice_id\r\nusd,7,2026-10,xai,x,X-1\r\n",
        "utf-8-sig",
    )

    (booked,) = import_file(con, path, NOW)

    assert (booked.invoice_id, booked.total, booked.currency) == ("X-1", usd("7.00"), "USD")


def test_optional_columns_land_in_their_fields(con, tmp_path):
    header = "line_id,model,meter,quantity,quantity_unit,charge_category,project,api_key,account"
    bill(
        con,
        tmp_path,
        'I,openai,2026-10,1.5,USD,L1,gpt-5,cached_input,12.5,tokens,credit,p,k,acme,"a, ""b"""',
        header=f"{HEADER},{header},description",
    )

    assert rows(
        con,
        "SELECT line_id, model_raw, meter, quantity, quantity_unit, charge_category, project,"
        " api_key, source_account, description FROM invoice_line",
    ) == [
        (
            "L1",
            "gpt-5",
            "cache_read",
            Decimal("12.5"),
            "tokens",
            "credit",
            "p",
            "k",
            "acme",
            'a, "b"',
        )
    ]


def test_options_fill_in_provider_and_account(con, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("invoice_id,period,amount,currency\nA-1,2026-10,5,USD\n")

    (booked,) = import_files(con, [path], NOW, provider="xai", account="acme")

    assert (booked.provider, booked.account) == ("xai", "acme")


def test_the_payload_is_kept_verbatim_with_its_hash(con, tmp_path):
    bill(con, tmp_path, "G-1,gemini,2026-10,100.00,USD")

    payload = (tmp_path / "invoice.csv").read_bytes()
    ((sha256, name, packed),) = rows(
        con, "SELECT document_sha256, file_name, payload FROM invoice_document"
    )
    assert (sha256, name) == (hashlib.sha256(payload).hexdigest(), "invoice.csv")
    assert gzip.decompress(packed) == payload


def test_importing_twice_changes_nothing(con, tmp_path):
    tables = ("invoice", "invoice_line", "invoice_document")
    bill(con, tmp_path, "G-1,gemini,2026-10,100.00,USD")
    before = [rows(con, f"SELECT * FROM {table}") for table in tables]

    (booked,) = bill(con, tmp_path, "G-1,gemini,2026-10,100.00,USD")

    assert booked.outcome == "unchanged"
    assert [rows(con, f"SELECT * FROM {table}") for table in tables] == before


def test_a_reissued_invoice_takes_the_place_of_the_former(con, tmp_path):
    bill(con, tmp_path, "G-1,gemini,2026-10,100.00,USD")
    path = tmp_path / "b.csv"
    path.write_text(f"{HEADER}\nG-1,gemini,2026-10,90.00,USD\n")

    (booked,) = import_files(con, [path], NOW, replace=True)

    assert (booked.outcome, booked.total) == ("replaced", usd("90.00"))
    assert [invoice.total for invoice in list_invoices(con)] == [usd("90.00")]
    assert rows(con, "SELECT count(*) FROM invoice_document") == [(2,)]


def test_fractions_of_a_cent_are_summed_before_they_are_rounded(con, tmp_path):
    lines = [f"G-1,gemini,2026-10,0.004,USD,{number}" for number in range(5)]

    (booked,) = bill(con, tmp_path, *lines, header=f"{HEADER},line_id")

    assert booked.total == usd("0.02")


def test_a_typed_total_outranks_lines_and_shows_what_they_leave(con, tmp_path):
    header = f"{HEADER},model"
    bill(con, tmp_path, "I,openai,2026-10,18199.98,USD,gpt-4o", header=header)

    add_total(con, typed("18200.00"), NOW)

    assert rows(
        con,
        "SELECT invoice_id, charge_category, description, amount FROM control_line ORDER BY amount",
    ) == [
        ("typed:openai:2026-10", "rounding", "rounding/unexplained", usd("0.02")),
        ("typed:openai:2026-10", "usage", None, usd("18199.98")),
    ]


def test_one_control_total_per_provider_account_and_period(con, tmp_path):
    bill(con, tmp_path, "I,openai,2026-10,90.00,USD")
    add_total(con, typed("100.00"), NOW)
    add_total(con, typed("7.00", account="lab"), NOW)

    assert [
        (invoice.invoice_id, invoice.is_control_total, invoice.is_breakdown)
        for invoice in list_invoices(con)
    ] == [
        ("typed:openai:2026-10", True, True),
        ("I", False, False),
        ("typed:openai:lab:2026-10", True, True),
    ]


def test_a_typed_total_keeps_its_document(con, tmp_path):
    document = tmp_path / "invoice.pdf"
    document.write_bytes(b"%PDF-1.7 \xff")

    add_total(con, typed("18200.00", document=document, invoice_id="INV-7"), NOW)

    ((sha256,),) = rows(con, "SELECT document_sha256 FROM invoice WHERE invoice_id = 'INV-7'")
    assert rows(con, "SELECT document_sha256, format FROM invoice_document") == [
        (sha256, "attachment")
    ]


def test_typing_a_total_twice_changes_nothing(con):
    add_total(con, typed("18200.00"), NOW)

    assert add_total(con, typed("18200.0"), NOW).outcome == "unchanged"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"total": "-1"}, "Total '-1' is negative; type what the invoice charges, as 0 or more"),
        ({"total": "1.005"}, "Total '1.005' has more than the 2 decimals of USD; check it"),
        (
            {"total": "1.5", "currency": "JPY"},
            "Total '1.5' has more than the 0 decimals of JPY; check it",
        ),
        (
            {"total": "18,200.00"},
            "Amount '18,200.00' is not a number; "
            "write digits with a decimal point, such as 1234.56",
        ),
        (
            {"currency": "usdollar"},
            "Unknown currency 'usdollar'; write an ISO 4217 code, such as USD",
        ),
        ({"provider": "Anthropc"}, "Unknown provider 'Anthropc'; did you mean 'anthropic'?"),
        (
            {"period": "10/2026"},
            "Period '10/2026' is not a month; write it as YYYY-MM, such as 2026-10",
        ),
        ({"period": "2026-12"}, "Period '2026-12' has not begun; check the year and the month"),
    ],
)
def test_a_typed_value_that_cannot_be_is_refused(con, fields, message):
    with pytest.raises(InvoiceError) as caught:
        add_total(con, typed(**{"total": "1"} | fields), NOW)

    assert str(caught.value) == message
    assert rows(con, "SELECT count(*) FROM invoice") == [(0,)]


def test_another_total_for_the_same_invoice_is_refused(con):
    add_total(con, typed("18200.00"), NOW)

    with pytest.raises(InvoiceError) as caught:
        add_total(con, typed("18300.00"), NOW)

    assert str(caught.value) == (
        "Invoice 'typed:openai:2026-10' was imported with 18200.00 USD, now it says 18300.00 USD; "
        "if it was reissued, use --replace"
    )


def test_a_missing_document_is_told(con, tmp_path):
    with pytest.raises(
        InvoiceError, match=r"Cannot read '.*none.pdf': No such file or directory; check the path"
    ):
        add_total(con, typed("1", document=tmp_path / "none.pdf"), NOW)

    assert rows(con, "SELECT count(*) FROM invoice") == [(0,)]


def test_a_provider_that_receipts_name_is_known(con, tmp_path):
    add_call(con, "r1", "app", "1", provider="acme_cloud")

    (booked,) = bill(con, tmp_path, "A-1,acme_cloud,2026-10,5,USD")

    assert booked.provider == "acme_cloud"


def test_a_frozen_period_takes_no_invoice(con, tmp_path):
    con.execute(
        "INSERT INTO reconciliation (period, provider, account, currency, estimated_total_usd,"
        " flagged, status, mode, reconciled_at)"
        " VALUES ('2026-10', 'xai', '', 'USD', 0, false, 'frozen', 'showback', now())"
    )

    with pytest.raises(
        InvoiceError, match="Period '2026-10' is closed; book what came late as a correction"
    ):
        bill(con, tmp_path, "G-1,gemini,2026-10,100.00,USD")


@pytest.mark.parametrize(
    ("code", "digits"), [("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("XXX", None)]
)
def test_minor_units_are_those_of_iso_4217(code, digits):
    assert minor_units(code) == digits
