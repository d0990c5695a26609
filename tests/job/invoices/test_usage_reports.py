"""Usage reports land as evidence: parts made disjoint, restated by day, never as money."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from anchor_autopatch.job.invoices import import_file, import_files
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW
from tests.job.invoices.files import landed, sample, save, told

HOUR = 1_791_763_200
"""2026-10-12T00:00Z."""


def completions(start=HOUR, seconds=3600, **counts):
    result = {
        "object": "organization.usage.completions.result",
        "model": "gpt-5",
        "project_id": "p",
        "api_key_id": "k",
        "batch": False,
        "num_model_requests": 1,
        "input_tokens": 0,
        "output_tokens": 0,
    }
    bucket = {"start_time": start, "end_time": start + seconds, "results": [result | counts]}
    return {"object": "page", "data": [bucket], "has_more": False, "next_page": None}


def messages(**counts):
    result = {"uncached_input_tokens": 0, "model": "claude-sonnet-4-5", "workspace_id": None}
    bucket = {
        "starting_at": "2026-10-12T00:00:00Z",
        "ending_at": "2026-10-13T00:00:00Z",
        "results": [result | counts],
    }
    return {"data": [bucket], "has_more": False, "next_page": None}


def counted(path):
    (report,) = landed(path).usage
    return {row.meter: int(row.quantity) for row in report.rows}


def test_openai_input_tokens_hold_the_cached_ones(tmp_path):
    payload = completions(input_tokens=1000, input_cached_tokens=300, output_tokens=50)

    assert counted(save(tmp_path, payload)) == {"input": 700, "cache_read": 300, "output": 50}


def test_openai_audio_is_within_the_tokens(tmp_path):
    payload = completions(
        input_tokens=1000,
        input_cached_tokens=300,
        input_audio_tokens=200,
        input_cached_audio_tokens=50,
        output_tokens=90,
        output_audio_tokens=40,
    )

    assert counted(save(tmp_path, payload)) == {
        "input": 550,
        "input_audio": 150,
        "cache_read": 250,
        "cache_read_audio": 50,
        "output": 50,
        "output_audio": 40,
    }


def test_openai_sample_lands_by_the_hour():
    (report,) = landed(sample("openai_usage_completions.json")).usage

    assert (report.provider, report.operation, report.period) == (
        "openai",
        "completions",
        "2026-10",
    )
    assert [(row.model_raw, row.meter, row.quantity, row.api_key) for row in report.rows] == [
        ("gpt-5-2025-08-07", "input", Decimal(9_876_536), "key_1"),
        ("gpt-5-2025-08-07", "cache_read", Decimal(5_000_000), "key_1"),
        ("gpt-5-2025-08-07", "output", Decimal(2_000_000), "key_1"),
    ]
    assert report.days[0][1] == datetime(2026, 10, 12, 1, tzinfo=UTC).replace(tzinfo=None)


def test_anthropic_input_tokens_exclude_the_cache():
    (report,) = landed(sample("anthropic_usage_messages.json")).usage

    assert {row.meter: int(row.quantity) for row in report.rows} == {
        "input": 1500,
        "cache_read": 200,
        "cache_write_5m": 500,
        "cache_write_1h": 1000,
        "output": 500,
        "web_search": 10,
    }


def test_the_console_has_no_key_and_the_default_workspace_no_id(tmp_path):
    (report,) = landed(save(tmp_path, messages(uncached_input_tokens=5, api_key_id=None))).usage

    assert [(row.project, row.api_key) for row in report.rows] == [(None, None)]


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (
            completions(input_tokens=5, input_cached_tokens=9),
            "Parts of the 5 input tokens exceed the whole; fetch it again "
            "(day 2026-10-12, 'gpt-5')",
        ),
        (
            completions(input_tokens="5"),
            "input_tokens is '5', no number; save the report as it is (day 2026-10-12, 'gpt-5')",
        ),
        (
            messages(uncached_input_tokens=5, output_tokens=-1),
            "output_tokens is -1, below 0; fetch the report again "
            "(day 2026-10-12, 'claude-sonnet-4-5')",
        ),
    ],
)
def test_a_count_that_cannot_be_does_not_pass(tmp_path, payload, message):
    assert told(save(tmp_path, payload)) == [message]


def test_reports_of_two_operations_do_not_pass_as_one(tmp_path):
    pages = [completions(), completions(start=HOUR + 3600)]
    pages[1]["data"][0]["results"][0]["object"] = "organization.usage.embeddings.result"

    assert told(save(tmp_path, pages))[0] == (
        "Reports of 'completions, embeddings' are mixed; import each as its own file"
    )


def test_a_missing_page_of_usage_does_not_pass(tmp_path):
    assert told(save(tmp_path, completions() | {"has_more": True, "next_page": "p2"})) == [
        "has_more is true: pages are missing after 'p2'; "
        "fetch them and import all pages as one JSON list"
    ]


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def test_restated_hours_take_the_place_of_the_former(con, tmp_path):
    def evidence():
        return con.execute("SELECT meter, quantity FROM usage_evidence ORDER BY meter").fetchall()

    import_file(con, save(tmp_path, completions(input_tokens=100)), NOW)
    first = evidence()
    later = [completions(input_tokens=70), completions(HOUR + 3600, input_tokens=8)]
    (booked,) = import_file(con, save(tmp_path, later, "later"), NOW)

    assert (first, evidence()) == ([("input", 100)], [("input", 78)])
    assert booked.outcome == "restated"
    assert import_file(con, save(tmp_path, later, "again"), NOW)[0].outcome == "unchanged"
    assert con.execute("SELECT count(*) FROM invoice").fetchall() == [(0,)]


def test_an_empty_report_of_a_named_format_is_read(con, tmp_path):
    payload = completions()
    payload["data"][0]["results"] = []

    (booked,) = import_files(con, [save(tmp_path, json.dumps(payload))], NOW, source="openai-usage")

    assert (booked.operation, booked.rows, booked.outcome) == ("completions", 0, "unchanged")
