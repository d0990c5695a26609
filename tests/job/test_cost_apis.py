"""Cost API payloads land with the right amount, period and currency; a missing day never passes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from anchor_autopatch.job.invoices import (
    RefusedInvoiceError,
    import_file,
    import_files,
    list_invoices,
)
from anchor_autopatch.job.invoices.meters import model_and_meter
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW, usd

SAMPLES = Path(__file__).parents[3] / "shared/data/invoice-payloads"
FIRST = datetime(2026, 10, 12, tzinfo=UTC)


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def rows(con, sql):
    return con.execute(sql).fetchall()


def sample(name):
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"sample payload {name} is not beside this checkout")
    return path


def costs(*amounts, first=FIRST, **page):
    """An OpenAI Costs page: one bucket a day, one result in each."""
    seconds = [int((first + timedelta(days=day)).timestamp()) for day in range(len(amounts) + 1)]
    buckets = [
        {
            "object": "bucket",
            "start_time": start,
            "end_time": end,
            "results": [
                {"amount": {"value": amount, "currency": "usd"}, "line_item": "gpt-5, input"}
            ],
        }
        for amount, start, end in zip(amounts, seconds, seconds[1:], strict=False)
    ]
    return {"object": "page", "data": buckets, "has_more": False, "next_page": None} | page


def save(folder, payload, name="costs.json"):
    path = folder / name
    path.write_text(json.dumps(payload))
    return path


def told(con, folder, payload):
    with pytest.raises(RefusedInvoiceError) as caught:
        import_file(con, save(folder, payload), NOW)
    assert rows(con, "SELECT count(*) FROM invoice_line") == [(0,)]
    return [finding.message for finding in caught.value.findings]


def test_openai_costs_land_in_dollars_without_float_artefacts(con):
    (booked,) = import_file(con, sample("openai_costs.json"), NOW)

    assert (booked.provider, booked.period, booked.currency) == ("openai", "2026-10", "USD")
    assert booked.total == usd("33.27")
    assert rows(
        con,
        "SELECT model_raw, meter, quantity, amount, amount_text FROM invoice_line ORDER BY amount",
    ) == [
        (None, "web_search", None, usd("0.3"), "0.30"),
        ("gpt-5-2025-08-07", "cache_read", Decimal(5_000_000), usd("0.625"), "0.625"),
        ("gpt-5-2025-08-07", "input", Decimal(9_876_536), usd("12.34567"), "12.345670000000001"),
        ("gpt-5-2025-08-07", "output", Decimal(2_000_000), usd("20"), "20.0"),
    ]


def test_openai_days_are_utc_days(con):
    import_file(con, sample("openai_costs.json"), NOW)

    assert rows(
        con,
        "SELECT DISTINCT period_start::VARCHAR, period_end::VARCHAR, project"
        " FROM invoice_line ORDER BY ALL",
    ) == [
        ("2026-10-12 00:00:00", "2026-10-13 00:00:00", "proj_search"),
        ("2026-10-12 00:00:00", "2026-10-13 00:00:00", None),
    ]


def test_anthropic_amounts_are_cents(con):
    (booked,) = import_file(con, sample("anthropic_cost_report.json"), NOW)

    assert (booked.provider, booked.period, booked.total) == ("anthropic", "2026-10", usd("3.76"))
    assert rows(con, "SELECT meter, tier, project, amount FROM invoice_line ORDER BY amount") == [
        ("code_session", None, None, usd("0.05")),
        ("cache_write_5m", "batch", None, usd("0.375")),
        ("input", "standard", "wrkspc_1", usd("1.2378912")),
        ("web_search", None, "wrkspc_1", usd("2.1")),
    ]


def test_months_are_told_apart_by_their_days(con, tmp_path):
    payload = costs(1, 2, 4, first=datetime(2026, 9, 29, tzinfo=UTC))

    booked = import_file(con, save(tmp_path, payload), NOW)

    assert [(entry.period, entry.total) for entry in booked] == [("2026-09", 3), ("2026-10", 4)]


def test_a_restated_day_takes_the_place_of_the_former(con, tmp_path):
    import_file(con, save(tmp_path, costs(1, 2, 4)), NOW)

    (booked,) = import_file(con, save(tmp_path, costs(16, first=FIRST + timedelta(days=1))), NOW)

    assert (booked.outcome, booked.total) == ("restated", usd("21.00"))
    assert rows(con, "SELECT count(*) FROM invoice_line WHERE superseded_at IS NOT NULL") == [(1,)]


def test_days_imported_again_change_nothing(con, tmp_path):
    import_file(con, save(tmp_path, costs(1, 2)), NOW)

    (booked,) = import_file(
        con, save(tmp_path, [costs(1), costs(2, first=FIRST + timedelta(days=1))]), NOW
    )

    assert (booked.outcome, booked.total) == ("unchanged", usd("3.00"))
    assert [invoice.lines for invoice in list_invoices(con)] == [2]


def test_lines_that_nobody_understands_land_and_are_told(con, tmp_path):
    payload = costs(1.5)
    payload["data"][0]["results"][0]["line_item"] = "something new entirely"

    (booked,) = import_file(con, save(tmp_path, payload), NOW)

    assert (booked.total, booked.note) == (
        usd("1.50"),
        "no model or meter is known for 1 lines, 1.50 USD: 'something new entirely'",
    )


def test_pages_may_be_joined_in_one_list(con, tmp_path):
    pages = [costs(1, 2, has_more=True, next_page="p2"), costs(4, first=FIRST + timedelta(days=2))]

    (booked,) = import_file(con, save(tmp_path, pages), NOW)

    assert booked.total == usd("7.00")


def test_a_missing_page_does_not_pass(con, tmp_path):
    assert told(con, tmp_path, costs(1, has_more=True, next_page="p2")) == [
        "has_more is true: pages are missing after 'p2'; "
        "fetch them and import all pages as one JSON list"
    ]


def test_a_gap_between_days_does_not_pass(con, tmp_path):
    pages = [costs(1), costs(2, first=FIRST + timedelta(days=3))]

    assert told(con, tmp_path, pages) == [
        "No bucket from 2026-10-13 00:00:00 to 2026-10-15 00:00:00; "
        "a page is missing, fetch all pages"
    ]


def test_a_page_twice_does_not_pass(con, tmp_path):
    assert told(con, tmp_path, [costs(1), costs(1)]) == [
        "Two buckets cover 2026-10-12 00:00:00; import each page of one request once"
    ]


def test_a_payload_without_days_does_not_pass(con, tmp_path):
    with pytest.raises(RefusedInvoiceError, match="The payload holds no day; ask the cost API"):
        import_files(con, [save(tmp_path, costs())], NOW, source="openai-costs")


def test_something_else_than_pages_does_not_pass(con, tmp_path):
    with pytest.raises(RefusedInvoiceError, match="A page has no list 'data'; save the response"):
        import_files(con, [save(tmp_path, {"usage": 1})], NOW, source="openai-costs")


@pytest.mark.parametrize("amount", ["12.5", None])
def test_an_amount_of_the_wrong_kind_does_not_pass(con, tmp_path, amount):
    assert told(con, tmp_path, costs(amount)) == [
        f"Amount {amount!r} is no JSON number; save the response as it is "
        "(day 2026-10-12, 'gpt-5, input')"
    ]


@pytest.mark.parametrize("start", [99_999_999_999_999_999, 253_402_214_400, 1.5, "today"])
def test_a_time_that_cannot_be_does_not_pass(con, tmp_path, start):
    bucket = {"start_time": start, "end_time": 253_402_300_799, "results": []}

    (message,) = told(con, tmp_path, {"data": [bucket], "has_more": False})[:1]

    assert message.startswith("Bucket ")


def test_a_usage_report_is_no_cost_report(con):
    path = sample("openai_usage_completions.json")

    with pytest.raises(
        RefusedInvoiceError, match="A result has no amount; export costs, not usage"
    ):
        import_files(con, [path], NOW, source="openai-costs")


def test_cents_as_a_number_do_not_pass(con, tmp_path):
    results = [{"amount": 12.5, "currency": "USD", "description": "Output"}]
    day = {
        "starting_at": "2026-10-12T00:00:00Z",
        "ending_at": "2026-10-13T00:00:00Z",
        "results": results,
    }

    assert told(con, tmp_path, {"data": [day], "has_more": False}) == [
        "Amount '12.5' is not a text in cents; save the report as it is (day 2026-10-12, 'Output')"
    ]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("gpt-4o-2024-08-06, input", ("gpt-4o-2024-08-06", "input", None)),
        ("gpt-5, cached input", ("gpt-5", "cache_read", None)),
        ("gpt-5, output, flex", ("gpt-5", "output", "flex")),
        ("gpt-5, batch input", ("gpt-5", "input", "batch")),
        ("gpt-image-1, image output", ("gpt-image-1", "output_image", None)),
        ("web search tool calls", (None, "web_search", None)),
        ("something new entirely", (None, None, None)),
        ("gpt-5, moonlight", ("gpt-5", None, None)),
    ],
)
def test_line_items_tell_model_meter_and_tier(item, expected):
    assert model_and_meter(item) == expected
