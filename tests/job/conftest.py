"""A home whose warehouse has the schema and LiteLLM's rates already: making one takes a second."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, settings

from anchor_autopatch.core.settings import WAREHOUSE_FILE
from anchor_autopatch.job.rates import sync_installed
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.closed import frozen

# A property is about what holds, not about how fast: on a busy machine one example of thousands
# takes longer than the 200 ms that hypothesis grants, or making ten of them longer than a second,
# and would fail the test. A profile holds for the whole run: for those of tests/core as well.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def no_home_of_the_user(tmp_path_factory, monkeypatch):
    """Keeps the shipper out of the home of whoever runs the tests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.fixture(scope="session")
def new_warehouse(tmp_path_factory):
    """The file of a warehouse that has the schema and no rows."""
    home = tmp_path_factory.mktemp("new")
    with open_warehouse(home):
        pass
    return home / WAREHOUSE_FILE


@pytest.fixture(autouse=True)
def warehouse_in_place(new_warehouse, request):
    """Saves each test with a home the 0.15 CPU s that making the schema takes; a copy takes none.

    A test that needs a home without a warehouse takes a folder below `tmp_path`.
    """
    if "tmp_path" in request.fixturenames:
        shutil.copy(new_warehouse, request.getfixturevalue("tmp_path") / WAREHOUSE_FILE)


@pytest.fixture(scope="session")
def synced_warehouse(tmp_path_factory):
    """The file of a warehouse that knows the installed price table and nothing else."""
    home = tmp_path_factory.mktemp("synced")
    with open_warehouse(home) as con:
        sync_installed(con, datetime(2026, 9, 1, tzinfo=UTC))
    return home / WAREHOUSE_FILE


@pytest.fixture
def synced_home(synced_warehouse, tmp_path):
    """tmp_path as ANCHOR_HOME, with a copy of that warehouse."""
    shutil.copy(synced_warehouse, tmp_path / WAREHOUSE_FILE)
    return tmp_path


@pytest.fixture(scope="session")
def closed_home(tmp_path_factory):
    """A home whose October is frozen: half a second of dividing. To be copied, not changed."""
    home = tmp_path_factory.mktemp("closed")
    with open_warehouse(home) as con:
        frozen(con, home)
    return home
