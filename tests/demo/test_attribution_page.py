"""docs/attribution.md and the commands it shares with docs/commands.md: every example works."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from anchor_autopatch.cli import main
from anchor_autopatch.core.policy.checking import check_config
from anchor_autopatch.core.signatures import Signed, refusal
from tests.demo.conftest import CHECKOUT
from tests.host.support import environment
from tests.job.outboxes import left_behind, receipt

PAGE = (CHECKOUT / "docs" / "attribution.md").read_text(encoding="utf-8")
COMMANDS = (CHECKOUT / "docs" / "commands.md").read_text(encoding="utf-8")
NOW_US = 1_795_000_000_000_000
"""In November 2026: the override of the page has not expired."""
OCTOBER_US = 1_791_500_000_000_000
RECEIPT_ID = "0199f3c2-7d1e-7c55-9a31-2b7a9f0c1d2e"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def commands(page: str, words: str) -> list[str]:
    """The lines of console blocks that call one of these commands, or set a variable."""
    lines = [line[2:] for block in blocks(page, "console") for line in block.splitlines()]
    return [line for line in lines if re.search(rf"\banchor ({words})\b|^export ", line)]


POLICY = "\n".join(blocks(PAGE, "toml"))


@pytest.mark.parametrize("text", [*blocks(PAGE, "toml"), POLICY])
def test_every_table_is_without_a_mistake(text: str) -> None:
    assert check_config(tomllib.loads(text), NOW_US) == []


def test_attribute_does_what_the_page_says() -> None:
    exec(blocks(PAGE, "python")[0], {})


def test_signature_that_the_page_makes_is_believed() -> None:
    made: dict[str, object] = {}
    exec(blocks(PAGE, "python")[1], made)

    headers = dict(made["headers"])
    signature = headers.pop("x-owner-signature")
    signed = Signed("POST", "/v1/chat", headers)
    keys = {"k1": b"a-secret-of-the-gateway"}

    assert refusal(signature, keys, signed, int(made["expires"]) - 1, 300) is None
    other = signed._replace(path="/v1/other")
    assert refusal(signature, keys, other, int(made["expires"]) - 1, 300) == "invalid"


def test_refused_call_is_caught_as_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "anchor.toml").write_text(POLICY, encoding="utf-8")
    client = """
import logging
import requests
from types import SimpleNamespace

log, messages = logging.getLogger(), []
def create(**body):
    return requests.post("http://127.0.0.1:9/v1/chat/completions", json=body)
client = SimpleNamespace(chat=SimpleNamespace(completions=SimpleNamespace(create=create)))
"""
    variables = environment(
        tmp_path,
        path=[CHECKOUT],
        ANCHOR_PROVIDER_HOSTS="127.0.0.1:9=openai",
        ANCHOR_ENVIRONMENT="production",
    )

    done = subprocess.run(
        [sys.executable, "-c", client + blocks(PAGE, "python")[2]],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "nobody to charge: Provider call refused by policy, nothing was sent: 'team' is" in (
        done.stderr
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Receipts of which the page's policy holds some, reconciled; a gateway's log beside them."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    for name, value in environment(folder, hook=False).items():
        monkeypatch.setenv(name, value)
    for name in os.environ:
        if name.startswith(("ANCHOR_", "OTEL_")) and name != "ANCHOR_HOME":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    (folder / "anchor.toml").write_text(POLICY, encoding="utf-8")
    held = {"team": None, "service": "shop", "occurred_at_us": OCTOBER_US}
    left_behind(
        folder,
        receipt(1, receipt_id=RECEIPT_ID, trace_id=TRACE_ID, **held),
        *(receipt(number, **held) for number in (2, 3)),
    )
    line = json.dumps({"status": 200, "headers": {"x-owner-receipt-id": RECEIPT_ID}})
    (folder / "gateway.log").write_text(line + "\n", encoding="utf-8")
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "anchor"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m anchor_autopatch "$@"\n')
    script.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    main(["reconcile"])
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", [PAGE, COMMANDS], ids=["attribution.md", "commands.md"])
def test_every_command_runs_in_the_order_of_the_page(
    home: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    lines = commands(page, "policy|audit")
    assert len(lines) > 5
    for line in lines:
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            monkeypatch.setenv(name, value)
            continue
        done = subprocess.run(
            line, shell=True, cwd=home, capture_output=True, text=True, check=False
        )
        assert (line, done.returncode in (0, 1), done.stderr) == (line, True, "")


@pytest.mark.slow
def test_released_receipts_are_charged_as_the_page_says(home: Path) -> None:
    lines = [line for line in commands(PAGE, "policy|reconcile") if "sign-header" not in line]

    for line in lines:
        subprocess.run(line, shell=True, cwd=home, capture_output=True, check=False)

    import duckdb

    with duckdb.connect(str(home / "report.duckdb"), read_only=True) as report:
        rows = report.execute("SELECT team, team_label, service, calls FROM app_costs").fetchall()
    assert rows == [("search", "Search & Discovery", "shop", 3)]


def test_page_explains_every_source() -> None:
    table = PAGE.partition("## Rules")[0]

    for source in ("code", "header", "carried", "rule", "environment", "otel", "route", "task"):
        assert f"`{source}`" in table
