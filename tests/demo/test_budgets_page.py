"""docs/budgets.md: its configuration is read, and its commands do what it says."""

from __future__ import annotations

import re
import shlex
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from anchor_autopatch.cli import main
from anchor_autopatch.core.conditions import SEVERITIES
from anchor_autopatch.core.policy.budgets import AnomalyRules, read_spend_policy
from anchor_autopatch.core.policy.checking import check_config
from tests.demo.conftest import CHECKOUT
from tests.job.outboxes import left_behind, receipt

if TYPE_CHECKING:
    import pytest

PAGE = (CHECKOUT / "docs" / "budgets.md").read_text(encoding="utf-8")
CODES = {"report": 0, "policy": 0, "reconcile": 0, "incidents": 1}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_configuration_of_the_page_means_something() -> None:
    config = tomllib.loads("\n".join(blocks("toml")))

    policy, problems = read_spend_policy(config)

    assert [*problems, *check_config(config, 0)] == []
    assert [each.name for each in policy.budgets] == ["search", "everything in production"]
    assert policy.anomalies == AnomalyRules()


def test_page_names_every_class_with_its_severity() -> None:
    told = re.findall(r"^\| `(\w+)` \| .* \| `(\w+)` \|$", PAGE, re.MULTILINE)

    # The page on prices tells of models without a rate.
    elsewhere = {"spend_anomaly": "error", "unpriced_model": SEVERITIES["unpriced_model"]}
    assert dict(told) | elsewhere == SEVERITIES
    assert "(`spend_anomaly`, `error`;" in PAGE


def test_commands_of_the_page_show_a_budget_that_is_used_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANCHOR_HOME", str(tmp_path))
    monkeypatch.delenv("ANCHOR_CONFIG", raising=False)
    # The page's budget, of an amount that a single call uses up.
    text = blocks("toml")[0].replace('"5000.00"', '"0.0001"')
    (tmp_path / "anchor.toml").write_text(text, encoding="utf-8")
    # Of this month: the commands have no other clock than the machine's.
    now_us = int((datetime.now(UTC) - timedelta(seconds=1)).timestamp() * 1_000_000)
    left_behind(tmp_path, receipt(1, occurred_at_us=now_us))
    commands = [line[2:] for block in blocks("console") for line in block.splitlines()]

    for command in commands:
        words = shlex.split(command)[1:]
        expected = 0 if "silence" in words else CODES[words[0]]
        assert main(words) == expected, command

    printed = capsys.readouterr().out
    assert "Budgets of" in printed
    assert "Budget used up: search/" in printed
    assert " est " in printed
