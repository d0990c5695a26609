"""`anchor invoices` says what it booked, and tells bad input in one line each with exit code 2."""

from __future__ import annotations

import json

import pytest

from anchor_autopatch.cli import main
from anchor_autopatch.cli.invoices import command
from anchor_autopatch.job.invoices import FORMATS
from tests.job.billed import HEADER


@pytest.fixture
def invoices(tmp_path):
    """Runs `anchor invoices` in a home of its own; returns the exit code."""

    def run(action, *arguments):
        return main(["invoices", action, *map(str, arguments), "--home", str(tmp_path / "home")])

    return run


@pytest.fixture
def gemini(tmp_path):
    path = tmp_path / "gemini.csv"
    path.write_text(f"{HEADER}\nG-1,gemini,2026-10,100.00,USD\n")
    return path


def test_import_says_what_it_booked(invoices, gemini, capsys):
    assert invoices("import", gemini) == 0

    assert capsys.readouterr().out == (
        "imported: gemini 2026-10 invoice G-1: 100.00 USD, lines: 1\n"
    )


def test_import_as_json_keeps_amounts_exact(invoices, gemini, capsys):
    invoices("import", gemini, "--json")

    (booked,) = json.loads(capsys.readouterr().out)
    assert (booked["invoice_id"], booked["total"]) == ("G-1", "100.00")


def test_import_of_bad_files_tells_all_and_exits_2(invoices, gemini, tmp_path, capsys):
    bad = tmp_path / "bad.csv"
    bad.write_text(f"{HEADER}\nA,opnai,2026-10,x,USD\n")

    assert invoices("import", gemini, bad) == 2

    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.splitlines() == [
        f"anchor: {bad} line 2: Unknown provider 'opnai'; did you mean 'openai'?",
        f"{bad} line 2: Amount 'x' is not a number; "
        "write digits with a decimal point, such as 1234.56",
    ]


def test_a_refused_import_leaves_nothing_to_list(invoices, gemini, tmp_path, capsys):
    (tmp_path / "empty.csv").touch()
    invoices("import", gemini, tmp_path / "empty.csv")
    capsys.readouterr()

    assert invoices("list", "--json") == 0

    assert json.loads(capsys.readouterr().out) == []


def test_add_books_a_typed_total(invoices, capsys):
    typed = "--provider openai --period 2026-10 --total 18200.00 --currency USD --account acme"

    assert invoices("add", *typed.split()) == 0

    assert capsys.readouterr().out == (
        "imported: openai account acme 2026-10 invoice typed:openai:acme:2026-10: "
        "18200.00 USD, lines: 1\n"
    )


def test_add_refuses_a_bad_value_with_exit_2(invoices, capsys):
    typed = "--provider openai --period 2026-10 --total 18200.00 --currency EURO"

    assert invoices("add", *typed.split()) == 2

    assert capsys.readouterr().err == (
        "anchor: Unknown currency 'EURO'; write an ISO 4217 code, such as USD\n"
    )


def test_list_shows_control_totals_and_breakdowns(invoices, gemini, capsys):
    invoices("import", gemini)
    invoices(
        "add",
        *["--provider", "gemini", "--period", "2026-10", "--total", "99", "--currency", "USD"],
    )
    capsys.readouterr()

    invoices("list")

    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["2026-10", "gemini", "-", "typed:gemini:2026-10", "99.00"] in [
        words[:5] for words in shown
    ]


@pytest.mark.parametrize("action", ["import", "pull", "add", "list"])
def test_each_action_shows_an_example(invoices, action, capsys):
    with pytest.raises(SystemExit):
        invoices(action, "--help")

    assert f"example: anchor invoices {action}" in " ".join(capsys.readouterr().out.split())


def test_the_command_offers_every_format():
    # Written twice: reading the formats needs duckdb, too early for --help.
    assert command._FORMATS == FORMATS
