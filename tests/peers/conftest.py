"""Applications with another observer in them, in an environment of their own, and the simulator."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from examples.provider_sim import Simulator, running
from tests.host.support import CHECKOUT, environment, read_outboxes

WORLDS = ("peers-a", "peers-b")
# Agents and collectors that nobody runs here.
QUIET = {
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "DD_TRACE_AGENT_URL": "http://127.0.0.1:9",
    "DD_TRACE_STARTUP_LOGS": "false",
    "DD_CRASHTRACKING_ENABLED": "false",
}


class Seen(NamedTuple):
    """What one application saw, and what it left."""

    told: dict[str, str]
    """Call -> its result or error."""
    spans: list[str]
    """Names of the other observer's spans, sorted."""
    receipts: list[Any]
    events: list[Any]


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    with running() as simulator:
        yield simulator


@pytest.fixture(scope="session")
def application(
    simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str, str], Seen]:
    """A function (world, observer, order) that runs the application, once for each."""

    @cache
    def run(world: str, observer: str, order: str) -> Seen:
        python = CHECKOUT / ".venvs" / world / "bin" / "python"
        if not python.exists():
            pytest.skip(f"no environment .venvs/{world}; `make peers` makes it")
        return _run(python, observer, order, simulator, tmp_path_factory.mktemp("home"))

    return run


def _run(python: Path, observer: str, order: str, simulator: Simulator, home: Path) -> Seen:
    home.chmod(0o700)
    urls = f"{simulator.openai}/v1 {simulator.anthropic} {simulator.gemini}"
    variables = QUIET | {"ANCHOR_PROVIDER_HOSTS": "127.0.0.1=sdk", "SIMULATOR": urls}
    done = subprocess.run(
        [python, "-m", "tests.peers.app", observer, order],
        env=environment(home, hook=order == "before", path=[CHECKOUT], **variables),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    return Seen(seen["told"], seen["spans"], *read_outboxes(home))
