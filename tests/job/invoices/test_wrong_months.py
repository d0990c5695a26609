"""A file of another month, or of a part of the month that is asked for, is refused by --period."""

from __future__ import annotations

import pytest

from anchor_autopatch.core.errors import InvoiceError
from anchor_autopatch.job.invoices import RefusedInvoiceError, import_files, list_invoices
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import HEADER, NOW
from tests.job.invoices.billing_server import Billing, Seen, day
from tests.job.invoices.files import save


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def costs(first, last):
    """OpenAI's answer for these days, as one list of pages."""
    billing, pages, cursor = Billing(), [], None
    while not pages or cursor:
        params = {
            "start_time": day(first),
            "end_time": day(last),
            "limit": "180",
            "group_by[]": "x",
        }
        params |= {"page": cursor} if cursor else {}
        pages.append(billing.answer(Seen("/organization/costs", params, {}, "")))
        cursor = pages[-1]["next_page"]
    return pages


def told(con, path, period):
    with pytest.raises(RefusedInvoiceError) as caught:
        import_files(con, [path], NOW, period=period)
    assert list_invoices(con) == []
    return [finding.message for finding in caught.value.findings]


def test_a_whole_month_lands(con, tmp_path):
    path = save(tmp_path, costs("2026-10-01", "2026-11-01"))

    (booked,) = import_files(con, [path], NOW, period="2026-10")

    assert (booked.period, booked.lines) == ("2026-10", 62)


@pytest.mark.parametrize(
    ("first", "last"), [("2026-10-02", "2026-11-01"), ("2026-10-01", "2026-10-31")]
)
def test_a_part_of_the_month_does_not_pass(con, tmp_path, first, last):
    assert told(con, save(tmp_path, costs(first, last)), "2026-10") == [
        f"Buckets cover {first} 00:00:00 to {last} 00:00:00, asked for was 2026-10-01 00:00:00 to "
        "2026-11-01 00:00:00; fetch all pages of exactly these days"
    ]


def test_another_month_does_not_pass(con, tmp_path):
    path = save(tmp_path, f"{HEADER}\nG-1,gemini,2026-09,1,USD\n")

    assert told(con, path, "2026-10") == [
        "The file holds 2026-09, asked for was 2026-10; take that month's"
    ]


@pytest.mark.parametrize(
    ("period", "message"),
    [
        (
            "2026-11",
            "Period '2026-11' has not ended, so no file covers it; import without --period",
        ),
        ("202610", "Period '202610' is not a month; write it as YYYY-MM, such as 2026-10"),
    ],
)
def test_a_period_that_cannot_be_asked_for_is_told(con, tmp_path, period, message):
    with pytest.raises(InvoiceError) as caught:
        import_files(con, [tmp_path / "none"], NOW, period=period)

    assert str(caught.value) == message
