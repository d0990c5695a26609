"""The demo, played once a session as a subprocess; what it left is read by the tests."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PYTHON = CHECKOUT / ".venv" / "bin" / "python"
APPLICATION_PYTHON = CHECKOUT / ".venvs" / "a" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Played:
    """One showing: what it printed, and where its state lies."""

    state: Path
    screen: str

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query on the report."""
        with duckdb.connect(str(self.state / "report.duckdb"), read_only=True) as report:
            return report.execute(sql).fetchall()

    def ledger(self) -> list[dict[str, Any]]:
        """What the simulator billed."""
        return list(json.loads((self.state / "ledger.json").read_text(encoding="utf-8")))


Play = Callable[..., Played]


@pytest.fixture(scope="session")
def play(tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Runs the demo with the given options."""
    for python, mend in ((PYTHON, "setup"), (APPLICATION_PYTHON, "worlds")):
        if not python.exists():
            pytest.skip(f"{python.relative_to(CHECKOUT)} is not there; make {mend}")

    def run(*options: str) -> Played:
        state = tmp_path_factory.mktemp("demo") / "state"
        done = subprocess.run(
            [str(PYTHON), "examples/demo.py", *options],
            cwd=CHECKOUT,
            env={**os.environ, "ANCHOR_DEMO_STATE": str(state)},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return Played(state, done.stdout)

    return run


@pytest.fixture(scope="session")
def demo(play: Play) -> Iterator[Played]:
    """The demo as `make demo` shows it."""
    return play()


@pytest.fixture(scope="session")
def demo_at_list_prices(play: Play) -> Iterator[Played]:
    """The demo without agreed rates: everything is priced by LiteLLM's table."""
    return play("--list-prices")
