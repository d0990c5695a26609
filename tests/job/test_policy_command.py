"""`anchor policy held | release | corrections` as people type them."""

from __future__ import annotations

import json

import pytest

from anchor_autopatch.cli import main
from tests.job.outboxes import left_behind, receipt


@pytest.fixture
def home(synced_home, monkeypatch):
    """A home with two held receipts, reconciled."""
    monkeypatch.setenv("ANCHOR_HOME", str(synced_home))
    monkeypatch.delenv("ANCHOR_CONFIG", raising=False)
    policy = '[policy]\nmode = "quarantine"\nrequired = ["team"]\n'
    (synced_home / "anchor.toml").write_text(policy, encoding="utf-8")
    left_behind(synced_home, receipt(1), *(receipt(n, team=None, service="bot") for n in (2, 3)))
    assert main(["reconcile"]) == 1
    return synced_home


@pytest.fixture
def run(home, capsys):
    """A function that runs a command: exit code and what was printed."""

    def run(*words):
        capsys.readouterr()
        code = main(list(words))
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_held_receipts_are_listed_with_the_problem(run):
    code, out = run("policy", "held", "--json")

    (group,) = json.loads(out)
    assert code == 1
    assert (group["service"], group["receipts"], group["problems"]) == ("bot", 2, "team is missing")


def test_release_charges_with_the_next_reconcile(run):
    words = (
        "--where",
        "service=bot",
        "--set",
        "team=support",
        "--by",
        "alice",
        "--reason",
        "asked",
    )

    code, out = run("policy", "release", *words)

    assert (code, "by alice, receipts: 2" in out) == (0, True)
    assert run("policy", "held") == (0, "Nothing is held.\n")
    run("reconcile")
    assert "support" in run("report")[1]


def test_corrections_are_listed(run):
    run("policy", "release", "--receipt", "receipt-000002", "--accept", "--reason", "small")

    code, out = run("policy", "corrections", "--json")

    (decision,) = json.loads(out)
    assert (code, decision["receipts"], decision["changes"]) == (0, 1, "released as it is")
    assert "small" in run("policy", "corrections")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "team"), "expected FIELD=VALUE"),
        (("--where", "user_id=1", "--accept"), "Unknown field 'user_id' of --where"),
        (("--set", "team=a", "--period", "1999-01"), "Found none of held receipts"),
        (("--by", " ", "--accept"), "who decides"),
    ],
)
def test_mistakes_are_told_in_one_line(run, words, said):
    code, out = run("policy", "release", "--reason", "why", *words)

    assert (code, said in out, out.count("\n")) == (2, True, 1)
