"""What `anchor doctor` says of the environment and of anchor.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from anchor_autopatch.cli.doctor_checks import configuration
from anchor_autopatch.cli.doctor_checks.finding import NOTE, PROBLEM


def _found(status: str) -> list[str]:
    return [finding.text for finding in configuration.check() if finding.status == status]


def test_nothing_set_is_clean(home: Path) -> None:
    assert _found(PROBLEM) + _found(NOTE) == []


@pytest.mark.parametrize(
    ("hosts", "told"),
    [
        ("gw.corp", "Cannot read 'gw.corp'"),
        ("https://gw.corp/v1=openai", "'https://gw.corp/v1' never matches; write 'gw.corp'"),
        ("gw.corp=unmapped", "say who invoices"),
    ],
)
def test_entry_that_maps_nothing_is_a_problem(
    home: Path, monkeypatch: pytest.MonkeyPatch, hosts: str, told: str
) -> None:
    monkeypatch.setenv("ANCHOR_PROVIDER_HOSTS", hosts)

    assert told in _found(PROBLEM)[0]


def test_provider_with_a_typing_error_is_noted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANCHOR_PROVIDER_HOSTS", "gw.corp=opnai,llm.corp=vllm")

    (text,) = _found(NOTE)

    assert text.endswith("'gw.corp' is mapped to 'opnai'; did you mean 'openai'?")


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("[hosts\n", "until then nothing in it counts"),
        ('hosts = "gw.corp"\n', "expected a table"),
        ('[hosts]\n"gw.corp" = 1\n', "expected a provider's name in quotes"),
    ],
)
def test_anchor_toml_that_cannot_be_meant_is_a_problem(home: Path, toml: str, told: str) -> None:
    (home / "anchor.toml").write_text(toml)

    assert told in _found(PROBLEM)[0]


def test_missing_config_that_was_named_is_a_problem(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANCHOR_CONFIG", str(home / "policy.toml"))

    assert "which does not exist" in _found(PROBLEM)[0]


def test_mistakes_of_the_policy_are_a_problem(home: Path) -> None:
    (home / "anchor.toml").write_text('[policy]\nmode = "rejcet"\n[polcy]\n')

    (text,) = _found(PROBLEM)
    assert text.startswith("2 mistakes, the first in policy.mode: 'rejcet' is unknown")


def test_header_keys_that_cannot_be_used_are_a_problem(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANCHOR_HEADER_KEYS", "k1=short")

    assert "until then no signature is believed" in _found(PROBLEM)[0]
