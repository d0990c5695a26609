"""Where the demo plays: its state folder, the environments, the `anchor` command, the database."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from examples.demo_steps import screen
from examples.provider_sim.client import CHECKOUT, Simulator

APPS = CHECKOUT / "examples" / "apps"
APPLICATION_PYTHON = CHECKOUT / ".venvs" / "a" / "bin" / "python"
# What a developer may have set for the real providers must not reach the demo.
_LEFT_OUT = ("ANCHOR_", "ANTHROPIC_", "GEMINI_", "GOOGLE_", "LITELLM_", "OPENAI_", "OTEL_")
_LEFT_OUT_NAMES = ("PYTHONPATH", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


class DemoError(Exception):
    """Something that the demo shows does not hold, or could not be run."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One showing of the demo."""

    state: Path
    simulator: Simulator

    @property
    def report(self) -> Path:
        """The file that people query."""
        return self.state / "report.duckdb"

    def anchor(self, *arguments: str, may_find: bool = False) -> None:
        """Shows an `anchor` command and what it prints.

        Args:
            arguments: What stands behind `anchor`.
            may_find: Whether exit code 1 is expected too: done, with findings that need a person.

        Raises:
            DemoError: it ended in another way.
        """
        screen.line(f"$ anchor {shlex.join(map(relative, arguments))}")
        done = self._run(*arguments)
        screen.output(done.stdout)
        if done.returncode > may_find:
            raise DemoError(f"anchor {arguments[0]} ended with {done.returncode}: {done.stderr}")

    def hook(self) -> str:
        """The folder that goes on PYTHONPATH."""
        return self._run("hook").stdout.strip()

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "anchor_autopatch", *arguments],
            cwd=CHECKOUT,
            env=self._own_variables(),
            capture_output=True,
            text=True,
            check=False,
        )

    def application_variables(self, **own: str) -> dict[str, str]:
        """The environment of an application: providers, the hook, names of its own."""
        return {
            **self._own_variables(),
            **self.simulator.environment(),
            "PYTHONPATH": self.hook(),
            # LiteLLM would fetch its price table from the network when it is imported.
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            **own,
        }

    def _own_variables(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_LEFT_OUT) and name.upper() not in _LEFT_OUT_NAMES
        }
        return {**kept, "ANCHOR_HOME": str(self.state), "PYTHONUNBUFFERED": "1"}

    def query(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and rows of a query on the report.

        Raises:
            DemoError: the report cannot answer it.
        """
        try:
            with duckdb.connect(str(self.report), read_only=True) as report:
                answer = report.execute(sql)
                return [column[0] for column in answer.description or ()], answer.fetchall()
        except duckdb.Error as error:
            raise DemoError(f"{self.report.name} cannot answer {sql!r}: {error}") from error


def new_state() -> Path:
    """An empty state folder: ANCHOR_DEMO_STATE, else `.demo` of this checkout.

    Raises:
        DemoError: the folder holds something that no demo has left there.
    """
    state = Path(os.environ.get("ANCHOR_DEMO_STATE") or CHECKOUT / ".demo").resolve()
    mark = state / "made-by-the-demo"
    # The folder is removed whole, so it must be one that a demo has made.
    if state.exists():
        if any(state.iterdir()) and not mark.exists():
            raise DemoError(f"{state} is not empty and not of the demo's making; remove it first")
        shutil.rmtree(state)
    state.mkdir(mode=0o700, parents=True)
    mark.touch()
    return state


def relative(text: str) -> str:
    """A path as seen from the checkout, where it lies in it."""
    return text.removeprefix(f"{CHECKOUT}{os.sep}")
