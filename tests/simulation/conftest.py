"""A warehouse that knows the installed price table already: making one takes a second."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from anchor_autopatch.core.settings import WAREHOUSE_FILE
from anchor_autopatch.job.rates import sync_installed
from anchor_autopatch.job.warehouse import open_warehouse


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory):
    """A warehouse that knows the installed price table and nothing else."""
    home = tmp_path_factory.mktemp("simulation")
    with open_warehouse(home) as con:
        sync_installed(con, datetime(2026, 9, 1, tzinfo=UTC))
    return home / WAREHOUSE_FILE
