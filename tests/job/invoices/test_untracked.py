"""Usage that no receipt explains is carved out of a real bill, from what was imported."""

from __future__ import annotations

import json

import pytest

from anchor_autopatch.job.invoices import import_files
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW, UNITS, add_call, allocate, split, usd
from tests.job.invoices.files import save

DAY = 1_791_763_200
"""2026-10-12T00:00Z, the day of the calls."""


def page(**result):
    bucket = {"start_time": DAY, "end_time": DAY + 86_400, "results": [result]}
    return json.dumps({"object": "page", "data": [bucket], "has_more": False})


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def test_uninstrumented_usage_bears_its_share_first(con, tmp_path):
    add_call(con, "r1", "search", "3", provider="openai", model="gpt-5-2025-08-07")
    cost = page(line_item="gpt-5-2025-08-07, input", amount={"value": 100.0, "currency": "usd"})
    usage = page(
        object="organization.usage.completions.result",
        model="gpt-5-2025-08-07",
        input_tokens=4 * UNITS,
        output_tokens=0,
    )

    import_files(con, [save(tmp_path, cost, "cost"), save(tmp_path, usage, "usage")], NOW)
    allocate(con)

    assert split(con) == {"search": usd("25.00"), "__untracked": usd("75.00")}


def test_usage_that_receipts_explain_carves_nothing(con, tmp_path):
    add_call(con, "r1", "search", "3", provider="openai", model="gpt-5-2025-08-07")
    cost = page(line_item="gpt-5-2025-08-07, input", amount={"value": 100.0, "currency": "usd"})
    usage = page(
        object="organization.usage.completions.result",
        model="gpt-5-2025-08-07",
        input_tokens=UNITS,
        output_tokens=0,
    )

    import_files(con, [save(tmp_path, cost, "cost"), save(tmp_path, usage, "usage")], NOW)
    allocate(con)

    assert split(con) == {"search": usd("100.00")}
