"""LiteLLM's spend logs become receipts, shipped like all others; their spend is never an anchor."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from anchor_autopatch.job.invoices import RefusedInvoiceError, import_files, list_invoices
from anchor_autopatch.job.meters import measure
from anchor_autopatch.job.ship import ship
from anchor_autopatch.job.verify import verify
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW, add_call
from tests.job.invoices.files import landed, sample, save, told


def spend(**fields):
    """A row of GET /spend/logs."""
    row = {
        "request_id": "chatcmpl-1",
        "call_type": "acompletion",
        "api_key": "88dc",
        "spend": 0.002875,
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "startTime": "2026-10-12T09:00:01Z",
        "endTime": "2026-10-12T09:00:02.5Z",
        "model": "gpt-4o-2024-08-06",
        "model_group": "gpt-4o",
        "custom_llm_provider": "openai",
        "api_base": "https://api.openai.com/v1",
        "team_id": "team-search",
        "end_user": None,
        "request_tags": ["feature:rank", "beta"],
        "metadata": {"usage_object": {"prompt_tokens_details": {"cached_tokens": 500}}},
        "cache_hit": "False",
        "status": "success",
    }
    return row | fields


def receipts(path):
    return landed(path).receipts


def test_a_row_is_a_receipt_with_its_owner(tmp_path):
    (receipt,) = receipts(save(tmp_path, [spend()]))

    assert (receipt.provider, receipt.provider_host, receipt.operation) == (
        "openai",
        "api.openai.com",
        "chat",
    )
    assert (receipt.team, receipt.feature, receipt.response_id) == (
        "team-search",
        "rank",
        "chatcmpl-1",
    )
    assert receipt.duration_us == 1_500_000
    assert json.loads(receipt.labels) == {
        "beta": "true",
        "litellm_key": "88dc",
        "litellm_spend_usd": "0.002875",
    }


def test_the_sample_lands_as_csv():
    (receipt,) = receipts(sample("litellm_spendlogs.csv"))

    assert (receipt.user_id, receipt.team, receipt.request_model) == (
        "u1",
        "team-search",
        "gpt-4o",
    )
    assert json.loads(receipt.raw_usage) == {
        "completion_tokens": 100,
        "prompt_tokens": 1000,
        "prompt_tokens_details": {"cached_tokens": 500},
        "total_tokens": 1100,
    }


@pytest.mark.parametrize("fields", [{"cache_hit": "True"}, {"status": "failure"}])
def test_what_no_provider_was_paid_for_leaves_no_receipt(tmp_path, fields):
    found = landed(save(tmp_path, [spend(**fields), spend(request_id="other")]))

    assert [receipt.response_id for receipt in found.receipts] == ["other"]
    assert found.notes == ("left out: 1 rows that no provider was paid for",)


@pytest.mark.parametrize(
    ("fields", "provider"),
    [
        ({"custom_llm_provider": "vertex_ai"}, "vertex_ai"),
        ({"custom_llm_provider": None, "model": "claude-opus-5-5"}, "anthropic"),
        ({"custom_llm_provider": "acme", "model": "acme-1"}, "unmapped"),
    ],
)
def test_the_provider_is_the_one_behind_the_gateway(tmp_path, fields, provider):
    (receipt,) = receipts(save(tmp_path, [spend(**fields)]))

    assert receipt.provider == provider


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([spend(request_id="")], "request_id is empty; export the spend logs with it"),
        (
            [spend(endTime="2026-10-12T08:00:00Z")],
            "endTime 2026-10-12 08:00:00 is before startTime 2026-10-12 09:00:01; export it again",
        ),
        (
            [spend(prompt_tokens=1.5)],
            "prompt_tokens is '1.5', no count; export the spend logs again",
        ),
        (
            [spend(), spend(prompt_tokens=2)],
            "request_id 'chatcmpl-1' occurs with two contents; export it again",
        ),
    ],
)
def test_a_row_that_cannot_be_read_is_told(tmp_path, rows, message):
    assert told(save(tmp_path, rows)) == [message]


# -- into the warehouse --


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def imported(con, home, *rows, name="spend.json"):
    (booked,) = import_files(con, [save(home, list(rows), name)], NOW, home=home)
    return booked


def test_receipts_are_shipped_measured_and_proven(con, tmp_path):
    booked = imported(con, tmp_path, spend(), spend(request_id="chatcmpl-2"))

    report = ship(con, [tmp_path], NOW + timedelta(minutes=1))
    measure(con, NOW)

    assert (booked.outcome, booked.period, booked.receipts) == ("imported", "2026-10", 2)
    assert (report.receipts, report.findings) == (2, [])
    assert con.execute(
        "SELECT DISTINCT input_tokens, cache_read_tokens, output_tokens FROM receipt_meters"
    ).fetchall() == [(500, 500, 100)]
    assert "shipments" not in str(verify(con, [tmp_path]).first_fault)
    assert not list((tmp_path / "outbox").glob("*.db"))


def test_spend_is_no_invoice(con, tmp_path):
    imported(con, tmp_path, spend())
    ship(con, [tmp_path], NOW)

    assert list_invoices(con) == []
    assert con.execute("SELECT count(*) FROM invoice_line").fetchall() == [(0,)]


def test_the_same_log_twice_changes_nothing(con, tmp_path):
    imported(con, tmp_path, spend())
    ship(con, [tmp_path], NOW)

    booked = imported(con, tmp_path, spend())

    assert (booked.outcome, booked.receipts, booked.known) == ("unchanged", 0, 1)
    assert not list((tmp_path / "outbox").glob("*.db"))


def test_a_log_imported_twice_before_it_is_shipped_counts_once(con, tmp_path):
    imported(con, tmp_path, spend())
    imported(con, tmp_path, spend(), spend(request_id="chatcmpl-2"), name="more.json")

    ship(con, [tmp_path], NOW)

    assert con.execute("SELECT count(*) FROM receipt").fetchall() == [(2,)]


def test_a_call_that_the_application_recorded_itself_counts_once(con, tmp_path):
    add_call(con, "r1", "search", "1", provider="openai", response_id="chatcmpl-1")

    booked = imported(con, tmp_path, spend(), spend(request_id="chatcmpl-2"))

    assert (booked.receipts, booked.known) == (1, 1)


def test_a_refused_file_beside_it_leaves_no_receipt(con, tmp_path):
    bad = save(tmp_path, [spend(request_id="")], "bad.json")

    with pytest.raises(RefusedInvoiceError):
        import_files(con, [save(tmp_path, [spend()], "good.json"), bad], NOW, home=tmp_path)

    assert not (tmp_path / "outbox").exists()
