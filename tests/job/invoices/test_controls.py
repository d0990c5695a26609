"""Days fetched grouped and ungrouped must name the same money; the grouped answer is what lands."""

from __future__ import annotations

import pytest

from anchor_autopatch.job.invoices import RefusedInvoiceError, import_files, list_invoices
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW, usd
from tests.job.invoices.files import save

DAY = 86_400
FIRST = 1_791_763_200
"""2026-10-12T00:00Z."""


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def costs(*days):
    """An OpenAI Costs page; each day a list of (amount, line item or None)."""
    buckets = [
        {
            "start_time": FIRST + DAY * number,
            "end_time": FIRST + DAY * (number + 1),
            "results": [
                {"amount": {"value": amount, "currency": "usd"}, "line_item": item}
                for amount, item in results
            ],
        }
        for number, results in enumerate(days)
    ]
    return {"data": buckets, "has_more": False, "next_page": None}


GROUPED = costs([(0.1, "gpt-5, input"), (0.2, None)], [(4, "gpt-5, output")])
UNGROUPED = costs([(0.30000000000000004, None)], [(4, None)])


def test_grouped_lines_land_where_the_ungrouped_sums_agree(con, tmp_path):
    files = [save(tmp_path, UNGROUPED, "total"), save(tmp_path, GROUPED, "lines")]

    (booked,) = import_files(con, files, NOW)

    assert (booked.total, booked.lines) == (usd("4.30"), 3)
    assert con.execute("SELECT count(*) FROM invoice_document").fetchall() == [(2,)]


def test_groups_that_leave_money_out_do_not_pass(con, tmp_path):
    files = [
        save(tmp_path, costs([(0.1, "gpt-5, input")], [(4, "gpt-5, output")]), "lines"),
        save(tmp_path, UNGROUPED, "total"),
    ]

    with pytest.raises(RefusedInvoiceError) as caught:
        import_files(con, files, NOW)

    assert str(caught.value).endswith(
        "total: Day 2026-10-12 sums to 0.1 USD grouped and 0.3 ungrouped; fetch both again"
    )
    assert list_invoices(con) == []


def test_a_day_that_only_the_ungrouped_answer_has_does_not_pass(con, tmp_path):
    files = [
        save(tmp_path, costs([(0.3, "x, input")]), "lines"),
        save(tmp_path, UNGROUPED, "total"),
    ]

    with pytest.raises(RefusedInvoiceError, match="Day 2026-10-13 is in the ungrouped answer only"):
        import_files(con, files, NOW)


def test_an_ungrouped_answer_that_comes_later_leaves_the_lines(con, tmp_path):
    import_files(con, [save(tmp_path, GROUPED)], NOW)

    (booked,) = import_files(con, [save(tmp_path, UNGROUPED)], NOW)

    assert (booked.outcome, booked.total) == ("agrees", usd("4.30"))
    assert [invoice.lines for invoice in list_invoices(con)] == [3]


def test_an_ungrouped_answer_that_differs_later_does_not_pass(con, tmp_path):
    import_files(con, [save(tmp_path, GROUPED)], NOW)

    with pytest.raises(RefusedInvoiceError, match=r"sums to 4 USD grouped and 5 ungrouped"):
        import_files(con, [save(tmp_path, costs([(0.3, None)], [(5, None)]))], NOW)


def test_an_older_export_does_not_undo_a_restatement(con, tmp_path):
    older = save(tmp_path, GROUPED, "older")
    import_files(con, [older], NOW)
    import_files(con, [save(tmp_path, costs([(9, "gpt-5, input")]), "newer")], NOW)

    with pytest.raises(RefusedInvoiceError, match="imported before, and 'openai-costs:openai:"):
        import_files(con, [older], NOW)

    (booked,) = import_files(con, [older], NOW, replace=True)
    assert booked.total == usd("4.30")
