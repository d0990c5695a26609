"""Tables as people see them: in a file, on a wide terminal, on a narrow one, without rich."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from anchor_autopatch.cli import output
from anchor_autopatch.cli.output import print_json, print_table

COLUMNS = ("team", "service", "model", "cost")
ROWS = [
    ("search", "ranking", "gpt-4o-2024-08-06", Decimal("1E-7")),
    (None, "[red]:rocket:", "claude-opus-4-5", Decimal("12.50")),
]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def _printed(file: io.StringIO) -> list[str]:
    print_table("Costs", COLUMNS, ROWS, right=("cost",), file=file)
    return file.getvalue().splitlines()


@pytest.fixture(params=[True, False], ids=["rich", "plain"])
def with_and_without_rich(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.param:
        monkeypatch.setattr(output, "find_spec", lambda name: None)


@pytest.mark.usefixtures("with_and_without_rich")
class TestInAFile:
    def test_no_line_ends_in_spaces(self) -> None:
        lines = _printed(io.StringIO())

        assert [line for line in lines if line != line.rstrip()] == []

    def test_cells_are_printed_as_they_are(self) -> None:
        text = "\n".join(_printed(io.StringIO()))

        assert "[red]:rocket:" in text
        assert "0.0000001" in text

    def test_numbers_end_at_the_same_place(self) -> None:
        small, large = (line for line in _printed(io.StringIO()) if line.endswith(("001", "50")))

        assert len(small) == len(large)

    def test_long_cells_are_not_cut(self) -> None:
        file = io.StringIO()

        print_table("T", ("what",), [("x" * 150,)], file=file)

        assert "x" * 150 in file.getvalue()


@pytest.fixture
def columns_of(monkeypatch: pytest.MonkeyPatch):
    return lambda width: monkeypatch.setenv("COLUMNS", str(width))


def test_wide_terminal_has_a_table(columns_of) -> None:
    columns_of(100)

    assert any("ranking" in line and "gpt-4o-2024-08-06" in line for line in _printed(Terminal()))


def test_narrow_terminal_has_one_value_a_line(columns_of) -> None:
    columns_of(30)

    assert _printed(Terminal()) == [
        "Costs",
        "",
        "  team     search",
        "  service  ranking",
        "  model    gpt-4o-2024-08-06",
        "  cost     0.0000001",
        "",
        "  team     -",
        "  service  [red]:rocket:",
        "  model    claude-opus-4-5",
        "  cost     12.50",
        "",
    ]


def test_column_that_can_be_folded_stays_a_table(columns_of) -> None:
    columns_of(40)
    file = Terminal()

    print_table(
        "T", ("status", "finding"), [("ok", "a word and " * 12), ("note", "too")], file=file
    )

    assert file.getvalue().count("finding") == 1
    assert file.getvalue().count("word") == 12


def test_json_keeps_amounts_exact_and_names_instants(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"usd": Decimal("1E-18"), "at": datetime(2026, 10, 1, tzinfo=UTC), "name": "Zoë"})

    out = capsys.readouterr().out
    assert json.loads(out) == {
        "usd": "0.000000000000000001",
        "at": "2026-10-01T00:00:00+00:00",
        "name": "Zoë",
    }
    assert "Zoë" in out
