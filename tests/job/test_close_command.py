"""`anchor close` as people type it, over a month that anchor reconcile made."""

from __future__ import annotations

import json
import shutil

import duckdb
import pytest

from anchor_autopatch.cli import main
from tests.job.outboxes import left_behind, receipt

CONFIG = """
[close]
preparers = ["ana"]
signers = ["bob"]
approvers = ["carol"]
mode = "chargeback"
"""
TOTAL = ("--provider", "openai", "--period", "2026-09", "--total", "18200.00", "--currency", "USD")


@pytest.fixture(scope="module")
def reconciled(synced_warehouse, tmp_path_factory):
    """A home with September's calls of two teams and the total of their invoice, reconciled."""
    home = tmp_path_factory.mktemp("reconciled")
    shutil.copy(synced_warehouse, home / "warehouse.duckdb")
    (home / "anchor.toml").write_text(CONFIG, "utf-8")
    left_behind(home, receipt(1), receipt(2), receipt(3, team="support", service="desk"))
    assert main(["invoices", "add", *TOTAL, "--home", str(home)]) == 0
    main(["reconcile", "--home", str(home)])
    return home


@pytest.fixture
def home(reconciled, tmp_path, monkeypatch):
    """A copy of it, as ANCHOR_HOME."""
    home = shutil.copytree(reconciled, tmp_path / "home")
    monkeypatch.setenv("ANCHOR_HOME", str(home))
    monkeypatch.delenv("ANCHOR_CONFIG", raising=False)
    return home


@pytest.fixture
def run(home, capsys):
    """A function that runs a command: exit code and what was printed."""

    def run(*words):
        capsys.readouterr()
        code = main(list(words))
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def settled(run):
    """Settles every variance of September; returns what there was."""
    found = json.loads(run("close", "actions", "2026-09", "--json")[1])
    for action in found:
        words = ("--settle", action["action_id"], "--reason", "a made-up invoice", "--by", "ana")
        assert run("close", "actions", *words)[0] == 0
    return found


def close(run):
    """Closes September, step by step; returns the exit codes."""
    settled(run)
    return [
        run("close", "review", "2026-09", "--by", "ana")[0],
        run("close", "sign-off", "2026-09", "--by", "bob")[0],
        run("close", "freeze", "2026-09", "--by", "bob")[0],
    ]


def published(home, sql):
    with duckdb.connect(str(home / "report.duckdb"), read_only=True) as con:
        return con.execute(sql).fetchall()


def test_a_month_is_closed_in_three_commands(run, home):
    assert run("close", "status")[0] == 1

    assert close(run) == [0, 0, 0]

    code, out = run("close", "status", "--json")
    assert (code, json.loads(out)[0]["state"]) == (0, "frozen")
    assert published(home, "SELECT state, mode FROM periods") == [("frozen", "chargeback")]
    assert run("verify")[0] == 0


def test_an_unsettled_variance_holds_the_sign_off_up(run):
    run("close", "review", "2026-09", "--by", "ana")

    code, out = run("close", "sign-off", "2026-09", "--by", "bob")
    (action,) = settled(run)

    assert (code, "are not settled, the largest unexplained" in out) == (2, True)
    assert (action["category"], action["owner"]) == ("unexplained", "finops")
    assert run("close", "sign-off", "2026-09", "--by", "bob")[0] == 0


def test_what_cannot_be_done_is_one_line(run):
    code, out = run("close", "freeze", "2026-09", "--by", "bob")

    assert code == 2
    assert out == ("anchor: Period 2026-09 is open, it cannot be frozen; expected signed_off\n")


def test_late_receipt_is_told_and_approved(run, home):
    close(run)
    before = published(home, "SELECT * FROM app_costs ORDER BY ALL")
    left_behind(home, receipt(4, team="search", service="late"), name="late")

    code, out = run("reconcile")
    (proposal,) = json.loads(run("close", "correct", "2026-09", "--json")[1])

    assert code == 1
    assert "2026-09 is frozen and 1 receipt came after 2026-09 was closed: 4550.00 USD" in out
    assert published(home, "SELECT * FROM app_costs ORDER BY ALL") == before
    approve = ("close", "correct", "2026-09", "--approve", proposal["correction_id"])
    assert run(*approve, "--by", "carol")[1].strip().endswith("is booked in 2026-10")
    assert run("verify")[0] == 0


def test_statements_are_written_to_a_folder(run, tmp_path):
    run("close", "review", "2026-09", "--by", "ana")

    code, _ = run("close", "statement", "2026-09", "--out", str(tmp_path / "out"))

    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert code == 0
    assert names[:3] == ["2026-09-all.csv", "2026-09-all.html", "2026-09-all.md"]
    assert len(names) == 9


def test_money_is_moved_by_two_people(run):
    close(run)
    move = ("--from", "service=chatbot", "--to", "team=support,service=desk", "--amount", "10")

    code, out = run("close", "correct", "2026-09", *move, "--reason", "shared", "--by", "ana")
    correction_id = out.split()[1].rstrip(";")
    shown = run("close", "correct", "2026-09", "--show", correction_id)[1]
    refused = run("close", "correct", "2026-09", "--approve", correction_id, "--by", "ana")

    assert code == 0
    assert "-10.00" in shown
    assert refused[0] == 2


def test_journal_and_trail_are_printed(run):
    close(run)

    assert "Liabilities:Provider:openai" in run("close", "journal", "2026-09")[1]
    trail = json.loads(run("close", "trail", "--json")[1])
    assert [row["action"] for row in trail] == [
        "settle",
        "review",
        "sign_off",
        "lock",
        "freeze",
    ]


def test_statements_need_a_folder(run, tmp_path):
    (tmp_path / "taken").touch()

    code, out = run("close", "statement", "2026-09", "--out", str(tmp_path / "taken"))

    assert (code, f"Cannot write into '{tmp_path / 'taken'}': File exists" in out) == (2, True)


def test_decisions_speak_json(run, tmp_path):
    (action,) = json.loads(run("close", "actions", "2026-09", "--json")[1])
    who = ("--to", "dora", "--by", "ana", "--json")

    _, assigned = run("close", "actions", "2026-09", "--assign", action["action_id"], *who)
    _, wrote = run("close", "statement", "2026-09", "--out", str(tmp_path / "st"), "--json")

    assert json.loads(assigned)["action"] == action["action_id"]
    files = json.loads(wrote)["files"]
    assert sorted(files) == sorted(path.name for path in (tmp_path / "st").iterdir())


def test_close_without_rules_shows_the_line_to_write(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("ANCHOR_CONFIG", raising=False)

    assert main(["close", "review", "2026-09", "--by", "ana", "--home", str(tmp_path)]) == 2

    assert 'such as preparers = ["ana"]' in capsys.readouterr().err
