"""A warehouse for worlds of a few receipts: one thread, and the prices of the models they name.

The installed table has 3,000 models; reading it and proving it again took a third of each history,
and said the same each time.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from anchor_autopatch.core.settings import WAREHOUSE_FILE
from anchor_autopatch.job import warehouse as warehouses
from anchor_autopatch.job.rates import source, sync_installed

# Its asserts are what a failing history tells.
pytest.register_assert_rewrite("tests.simulation.invariants")

_MODELS = ("gpt-4o", "claude-sonnet-4")
"""Prefixes of the models whose prices are kept."""


@pytest.fixture(scope="session")
def price_table(tmp_path_factory):
    """A part of the table that litellm brings, in a file like its own."""
    table = json.loads(source._locate().read_text("utf-8"))
    part = {name: price for name, price in table.items() if name.startswith(_MODELS)}
    path = tmp_path_factory.mktemp("prices") / source.TABLE_FILE
    path.write_text(json.dumps(part), "utf-8")
    return path


@pytest.fixture(autouse=True)
def small_job(price_table, monkeypatch):
    """The job reads the small table, and works on one thread: a second one has nothing to do."""
    monkeypatch.setattr(source, "_locate", lambda: price_table)
    monkeypatch.setitem(warehouses._CONFIG, "threads", 1)


@pytest.fixture(scope="session")
def warehouse(price_table, tmp_path_factory):
    """A warehouse that knows the small price table and nothing else."""
    home = tmp_path_factory.mktemp("simulation")
    with pytest.MonkeyPatch.context() as patch, warehouses.open_warehouse(home) as con:
        patch.setattr(source, "_locate", lambda: price_table)
        sync_installed(con, datetime(2026, 9, 1, tzinfo=UTC))
    return home / WAREHOUSE_FILE
