"""Relations of the report and the journal are written for other tools, whole or not at all."""

from __future__ import annotations

import csv

import duckdb
import pytest

from anchor_autopatch.cli import main
from tests.job.focus_home import make_home


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("export")
    make_home(home)
    return home


@pytest.fixture
def export(home):
    return lambda *words: main(["export", *map(str, words), "--home", str(home)])


def test_a_relation_is_written_as_csv(export, tmp_path, capsys):
    path = tmp_path / "costs.csv"

    assert export("csv", "app_costs", "--period", "2026-10", "--output", path) == 0

    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert capsys.readouterr().out == f"{path}: rows: 6\n"
    assert {row["period"] for row in rows} == {"2026-10"}
    assert len(rows) == 6


def test_instants_in_csv_are_utc_with_z(export, tmp_path):
    path = tmp_path / "receipts.csv"

    export("csv", "receipts", "--output", path)

    with path.open(newline="") as file:
        assert next(csv.DictReader(file))["occurred_at"] == "2026-10-12T09:00:00.000000Z"


def test_a_relation_is_written_as_parquet(export, tmp_path):
    path = tmp_path / "costs.parquet"

    export("parquet", "app_costs", "--output", path)

    types = dict(
        duckdb.sql(f"SELECT column_name, column_type FROM (DESCRIBE FROM '{path}')").fetchall()
    )
    assert types["anchored_cost"] == "DECIMAL(38,18)"


def test_the_journal_is_written_as_the_close_prints_it(export, home, tmp_path, capsys):
    path = tmp_path / "journal.csv"

    export("journal", "--with-showback", "--output", path)
    capsys.readouterr()
    main(["close", "journal", "--with-showback", "--home", str(home)])

    assert path.read_text("utf-8") == capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["csv", "app_cost"], "Unknown relation 'app_cost'; known: app_costs,"),
        (["csv", "usage_lines", "--period", "2026-10"], "Relation 'usage_lines' has no periods;"),
    ],
)
def test_what_cannot_be_exported_is_told(export, tmp_path, capsys, words, message):
    path = tmp_path / "x.csv"
    path.write_text("as it was")

    assert export(*words, "--output", path) == 2

    assert capsys.readouterr().err.startswith(f"anchor: {message}")
    assert path.read_text() == "as it was"
