"""A bad invoice file: each finding in one line with file, line, value, mend; nothing imported."""

from __future__ import annotations

import pytest

from anchor_autopatch.core.errors import InvoiceError
from anchor_autopatch.job.invoices import RefusedInvoiceError, import_file, import_files
from anchor_autopatch.job.invoices.sources import SOURCES
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import HEADER, NOW, bill

GOOD = "G-1,gemini,2026-10,100.00,USD"


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def is_empty(con):
    tables = ("invoice", "invoice_line", "invoice_document")
    return not any(con.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)


def told(con, path):
    """What importing this file complains about, without the path."""
    with pytest.raises(RefusedInvoiceError) as caught:
        import_file(con, path, NOW)
    return str(caught.value).replace(f"{path}", "FILE").splitlines()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",gemini,2026-10,1,USD", "Column 'invoice_id' is empty; write the number of the invoice"),
        ("A,opnai,2026-10,1,USD", "Unknown provider 'opnai'; did you mean 'openai'?"),
        (
            "A,gemini,202610,1,USD",
            "Period '202610' is not a month; write it as YYYY-MM, such as 2026-10",
        ),
        ("A,gemini,2027-01,1,USD", "Period '2027-01' has not begun; check the year and the month"),
        (
            "A,gemini,2026-10,$100,USD",
            "Amount '$100' is not a number; write digits with a decimal point, such as 1234.56",
        ),
        (
            "A,gemini,2026-10,NaN,USD",
            "Amount 'NaN' is not a number; write digits with a decimal point, such as 1234.56",
        ),
        (
            "A,gemini,2026-10,1e30,USD",
            "Amount '1e30' is beyond 1000000000000; check the decimal point",
        ),
        ("A,gemini,2026-10,1,USX", "Unknown currency 'USX'; write an ISO 4217 code, such as USD"),
        (
            "A,gemini,2026-10,-5,USD",
            "Invoice 'A' has the negative total -5; an invoice charges, so put a credit on the "
            "invoice that it reduces",
        ),
        (
            "A,gemini,2026-10,1,USD,extra",
            "6 fields under 5 columns; put fields that hold a comma in double quotes",
        ),
        (
            'A,gemini,2026-10,"1"0,USD',
            "Wrong quoting (',' expected after '\"'); put the field in double quotes "
            "and double those within",
        ),
        (
            'A,gemini,2026-10,"1,USD',
            "Wrong quoting (unexpected end of data); put the field in double quotes "
            "and double those within",
        ),
    ],
)
def test_a_bad_value_is_told_with_its_line_and_mend(con, tmp_path, row, message):
    path = tmp_path / "bad.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n\n{row}\n")

    assert told(con, path) == [f"FILE line 4: {message}"]
    assert is_empty(con)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "FILE: The file is empty; download the invoice again"),
        (b" \n\n", "FILE: The file is empty; download the invoice again"),
        (
            HEADER.encode() + b"\nG-1,gemini,2026-10,1,\xa4\n",
            "FILE line 2: Byte 0xa4 is not UTF-8; save the file as UTF-8",
        ),
        (HEADER.encode(), "FILE: No invoice line below the header; export the invoice again"),
        (
            b"invoice_id,provider,period,currency\nG-1,gemini,2026-10,USD\n",
            "FILE line 1: Column 'amount' is missing among "
            "'invoice_id, provider, period, currency'; add it",
        ),
        (
            b"# a page\n\nthat is no invoice\n",
            "FILE line 1: No format is known by '# a page', nor has it a column of the generic CSV "
            "(invoice_id, provider, period, amount, currency); is it another file?",
        ),
        (
            HEADER.encode().replace(b",", b";"),
            "FILE line 1: Columns 'invoice_id;provider;period;amount;currency' are not separated "
            "by commas; export with commas",
        ),
        (
            HEADER.encode() + b",amount\n",
            "FILE line 1: Column 'amount' occurs twice; remove one of them",
        ),
        (
            HEADER.encode() + b"\nG-\x00,gemini,2026-10,1,USD\n",
            "FILE line 2: Byte 0x00 is no text; save the file as UTF-8",
        ),
        (
            b"[" * 100_000,
            "FILE: The JSON is nested too deeply; save the response as it is",
        ),
        (
            b"{",
            "FILE line 1: Not JSON: Expecting property name enclosed in double quotes; "
            "save the response as it is",
        ),
        (
            b'{"rows": []}',
            "FILE: Unknown kind of JSON; name its format with --format: " + ", ".join(SOURCES),
        ),
    ],
)
def test_a_file_that_is_no_invoice_is_told(con, tmp_path, payload, message):
    path = tmp_path / "bad.csv"
    path.write_bytes(payload)

    assert told(con, path) == [message]
    assert is_empty(con)


def test_all_findings_of_a_file_are_told_together(con, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(f"{HEADER}\nA,opnai,2026,x,USX\n{GOOD}\nB,gemini,2026-10,-1,USD\n")

    assert [line.partition(":")[0] for line in told(con, path)] == ["FILE line 2"] * 4 + [
        "FILE line 4"
    ]


def test_one_bad_file_keeps_the_good_ones_out(con, tmp_path):
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text(f"{HEADER}\n{GOOD}\n")
    bad.write_text(f"{HEADER}\nB,xai,2026-10,oops,USD\n")

    with pytest.raises(InvoiceError, match=r"bad.csv line 2: Amount 'oops'"):
        import_files(con, [good, bad], NOW)

    assert is_empty(con)


def test_the_same_id_with_another_amount_is_refused(con, tmp_path):
    bill(con, tmp_path, GOOD)
    path = tmp_path / "again.csv"
    path.write_text(f"{HEADER}\nG-1,gemini,2026-10,90.00,USD\n")

    assert told(con, path) == [
        "FILE line 2: Invoice 'G-1' was imported with 100.00 USD, now it says 90.00 USD; "
        "if it was reissued, use --replace"
    ]
    assert con.execute("SELECT total FROM invoice").fetchall() == [(100,)]


def test_the_same_id_with_another_amount_in_one_file_is_refused(con, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(f"{HEADER}\n{GOOD}\nG-1,gemini,2026-10,90.00,USD\n")

    assert told(con, path) == [
        "FILE line 3: Invoice 'G-1' has amount 90.00 here and 100.00 in line 2; "
        "keep the right one, or give each a line_id of its own"
    ]


def test_a_repeated_row_is_refused(con, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(f"{HEADER},line_id\n{GOOD},L1\n{GOOD},L1\n")

    assert told(con, path) == [
        "FILE line 3: Line 'L1' repeats line 2; remove one, or give each a line_id of its own"
    ]


def test_an_invoice_of_two_providers_is_refused(con, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(f"{HEADER},line_id\n{GOOD},L1\nG-1,openai,2026-10,1,USD,L2\n")

    assert told(con, path) == [
        "FILE line 3: Invoice 'G-1' has provider 'openai' here and 'gemini' in line 2; "
        "give each provider an invoice_id of its own"
    ]


def test_a_second_invoice_for_the_same_month_is_refused(con, tmp_path):
    bill(con, tmp_path, GOOD)
    path = tmp_path / "second.csv"
    path.write_text(f"{HEADER}\nG-2,gemini,2026-10,5.00,USD\n")

    assert told(con, path) == [
        "FILE line 2: Invoice 'G-2' is a second one for gemini 2026-10, which has 'G-1'; "
        "name another account, or put both under one invoice_id"
    ]


def test_an_id_of_another_provider_is_refused(con, tmp_path):
    bill(con, tmp_path, GOOD)
    path = tmp_path / "other.csv"
    path.write_text(f"{HEADER}\nG-1,xai,2026-10,100.00,USD\n")

    assert told(con, path) == [
        "FILE line 2: Invoice 'G-1' is already the one of gemini 2026-10; "
        "check its number, provider, account and period"
    ]


def test_a_missing_file_is_told(con, tmp_path):
    with pytest.raises(InvoiceError, match=r"Cannot read '.*none.csv': No such file or directory"):
        import_file(con, tmp_path / "none.csv", NOW)
