"""Processes of an application in the SDKs' own environments, and the job in this one."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from examples.provider_sim import running
from tests.host.support import environment

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

    def __init__(self, folder, python, simulator):
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
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def fleet(tmp_path, world, simulator):
    simulator.reset()
    return Fleet(tmp_path, world, simulator)
