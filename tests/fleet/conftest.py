"""Processes of an application in the SDKs' own environments, and the job in this one."""

from __future__ import annotations

import shutil
import subprocess
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from anchor_autopatch.job.reconcile import reconcile
from anchor_autopatch.job.settlement import settle
from anchor_autopatch.job.ship import ship
from anchor_autopatch.job.warehouse import open_warehouse
from examples.provider_sim import running
from tests.host.support import environment
from tests.job.conftest import synced_warehouse

__all__ = ["synced_warehouse"]

CHECKOUT = Path(__file__).resolve().parents[2]
ACTING = Path(__file__).with_name("acting.py")


@pytest.fixture(scope="module")
def simulator():
    with running() as simulator:
        yield simulator


@pytest.fixture(params=["a", "b"])
def world(request):
    """The interpreter of an SDK generation."""
    python = CHECKOUT / ".venvs" / request.param / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{python.relative_to(CHECKOUT)} is not there; make worlds")
    return python


class Fleet:
    """Hosts, each with an ANCHOR_HOME of its own, on which processes act."""

    def __init__(self, folder, python, simulator, warehouse):
        self.folder = folder
        self.warehouse = warehouse
        self.homes = defaultdict(lambda: folder / f"host-{len(self.homes)}")
        self.python = python
        self.simulator = simulator

    def act(self, team, action, *arguments):
        """Runs one process on the host of its team; returns what it printed."""
        home = self.homes[team]
        home.mkdir(exist_ok=True)
        variables = self.simulator.environment() | {"ANCHOR_TEAM": team}
        done = subprocess.run(
            [self.python, ACTING, action, *arguments],
            env=environment(home, **variables),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def shipped(self, order):
        """The report of a warehouse that got the hosts' outboxes one after the other."""
        job = self.folder / "-".join(order)
        job.mkdir()
        shutil.copy(self.warehouse, job)
        # Copies, since what is shipped is removed.
        *earlier, last = [shutil.copytree(self.homes[team], job / team) for team in order]
        now = datetime.now(UTC) + timedelta(days=3)
        for home in earlier:
            with open_warehouse(job) as con:
                ship(con, [home], now)
                settle(con, now)
        return reconcile([job, last], now, {})


@pytest.fixture
def fleet(tmp_path, world, simulator, synced_warehouse):
    simulator.reset()
    return Fleet(tmp_path, world, simulator, synced_warehouse)
