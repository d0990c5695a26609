"""Real price changes: each receipt takes the rates of the table that was known on its day."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from anchor_autopatch.job.rates import sync_table
from anchor_autopatch.job.rates.source import PriceTable
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import NOW, add, cost, run

SHARED_TABLES = Path(__file__).parents[2] / ".." / "shared" / "data" / "price-tables"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not SHARED_TABLES.is_dir(), reason="no collection of real price tables beside this checkout"
    ),
]
# Model, day of the first table with the new rates, input USD per million tokens before and after.
CHANGES = [
    ("openai", "o3", "2025-06-22", "10", "2"),
    ("openai", "gpt-5.6-luna", "2026-08-11", "1", "0.2"),
    ("openai", "gpt-5.6-sol", "2026-09-25", "5", "4"),
    ("openai", "o1-mini", "2025-03-06", "3", "1.1"),
    ("anthropic", "claude-3-5-haiku-20241022", "2025-03-06", "1", "0.8"),
]


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    with open_warehouse(tmp_path_factory.mktemp("home")) as con:
        for entry in json.loads((SHARED_TABLES / "index.json").read_text()):
            text = gzip.decompress((SHARED_TABLES / entry["file"]).read_bytes())
            models = json.loads(text, parse_float=Decimal)
            held = {key: fields for key, fields in models.items() if isinstance(fields, dict)}
            seen = datetime.fromisoformat(entry["pypi_upload"]).replace(tzinfo=UTC)
            table = PriceTable(entry["version"], entry["sha256"], held)
            sync_table(con, table, observed_at=seen, now=NOW)
        yield con


@pytest.mark.parametrize(("provider", "model", "day", "before", "after"), CHANGES)
def test_day_before_and_day_after(con, provider, model, day, before, after):
    changed = datetime.fromisoformat(day)
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000}
    named = {"provider": provider, "request_model": model, "usage": usage}
    add(con, f"{model} before", occurred_at=changed - timedelta(seconds=1), **named)
    add(con, f"{model} after", occurred_at=changed, **named)

    run(con)

    assert cost(con, f"{model} before") == Decimal(before) / 1000
    assert cost(con, f"{model} after") == Decimal(after) / 1000
