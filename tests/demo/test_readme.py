"""What README.md and docs/commands.md tell people to type works on what the demo leaves."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest

from anchor_autopatch.cli import COMMANDS
from tests.demo.conftest import CHECKOUT, PYTHON, Played

README = CHECKOUT / "README.md"
COMMANDS_PAGE = CHECKOUT / "docs" / "commands.md"
# Covered by tests of their own: they change the environment, start a program, never end, need a
# sink or a provider's admin key, or work on what a policy holds (test_attribution_page.py).
_NOT_RUN = (
    *("hook", "run", "install", "uninstall", "doctor", "ship --follow", "policy", "audit"),
    *("alerts test", "invoices pull"),
)
_PRICES = {"gpt-4o": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2e-06}}


def _blocks(page: Path, language: str) -> str:
    text = page.read_text(encoding="utf-8")
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


def _queries() -> list[str]:
    return [query.strip() for query in _blocks(README, "sql").split(";") if query.strip()]


def _job_commands() -> list[str]:
    lines = _blocks(COMMANDS_PAGE, "console").splitlines()
    asked = [line.partition("anchor ")[2] for line in lines if "anchor " in line]
    return [command for command in asked if not command.startswith(_NOT_RUN)]


def _anchor(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PYTHON), "-m", "anchor_autopatch", *arguments],
        cwd=home / "invoices",
        env={**os.environ, "ANCHOR_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_readme_asks_five_questions() -> None:
    assert len(_queries()) == 5


@pytest.mark.slow
@pytest.mark.parametrize("query", _queries())
def test_readme_queries_have_answers(demo: Played, query: str) -> None:
    assert demo.query(query) != []


@pytest.mark.slow
def test_readme_split_is_what_the_demo_shows(demo: Played) -> None:
    rows = demo.query(
        "SELECT team || '/' || service, sum(calls), sum(estimated_cost_usd), sum(anchored_cost)"
        " FROM app_costs WHERE provider = 'gemini' GROUP BY ALL"
    )
    picture = re.sub(r"[─┐┘┤├┌└>]|\(invoice\)|Gemini: \$100\.00", " ", _blocks(README, ""))

    for owner, calls, estimate, share in rows:
        [line] = [line for line in picture.splitlines() if owner in line]
        assert line.split() == [
            owner,
            str(calls),
            "calls",
            "est.",
            f"${estimate:.2f}",
            f"${share:.2f}",
        ]


@pytest.mark.slow
@pytest.mark.parametrize("command", _job_commands())
def test_documented_commands_run(demo: Played, tmp_path: Path, command: str) -> None:
    home = tmp_path / "home"
    shutil.copytree(demo.state, home)
    (home / "invoices" / "invoice.pdf").write_bytes(b"%PDF-1.4")
    (home / "invoices" / "prices.json").write_text(json.dumps(_PRICES), encoding="utf-8")
    [(period,)] = demo.query("SELECT DISTINCT period FROM app_costs")

    done = _anchor(home, *shlex.split(command.replace("2026-10", period)))

    assert done.returncode in (0, 1), done.stderr
    assert done.stderr == "" or done.returncode == 1


@pytest.mark.slow
def test_documented_invoice_csv_is_taken(demo: Played, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(demo.state, home)
    (home / "invoices" / "generic.csv").write_text(_blocks(COMMANDS_PAGE, "csv"), encoding="utf-8")

    done = _anchor(home, "invoices", "import", "generic.csv")

    assert done.returncode == 0, done.stderr
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as warehouse:
        asked = "SELECT total, currency FROM invoice WHERE provider = 'mistral'"
        assert [
            (f"{total:.2f}", currency) for total, currency in warehouse.execute(asked).fetchall()
        ] == [("120.50", "EUR")]


def test_readme_names_only_commands_that_exist() -> None:
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|\$ |\()anchor (\w+)", text))

    assert named <= set(COMMANDS)
