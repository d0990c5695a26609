"""Relations of the report and the journal are written for other tools, whole or not at all."""

from __future__ import annotations

import csv
import os

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
        (["csv", "app_cost"], "Unknown relation 'app_cost'; did you mean 'app_costs'?"),
        (["csv", "nonsense"], "Unknown relation 'nonsense'; known: "),
        (["csv", "usage_lines", "--period", "2026-10"], "Relation 'usage_lines' has no periods;"),
    ],
)
def test_what_cannot_be_exported_is_told(export, tmp_path, capsys, words, message):
    path = tmp_path / "x.csv"
    path.write_text("as it was")

    assert export(*words, "--output", path) == 2

    assert capsys.readouterr().err.startswith(f"anchor: {message}")
    assert path.read_text() == "as it was"


def test_hyphen_prints_the_rows_and_nothing_else(export, capfdbinary):
    assert export("csv", "app_costs", "--period", "2026-10", "--output", "-") == 0

    lines = capfdbinary.readouterr().out.splitlines()
    assert lines[0].startswith(b"period,provider,")
    assert len(lines) == 7


def test_journal_goes_to_stdout_for_a_hyphen(export, capfdbinary):
    assert export("journal", "--output", "-") == 0

    assert capfdbinary.readouterr().out.startswith(b"entry_no,")


def test_a_device_is_not_replaced(export, tmp_path, capsys):
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)

    assert export("csv", "app_costs", "--output", fifo) == 2

    assert fifo.is_fifo()
    assert f"Cannot write '{fifo}': it is no file" in capsys.readouterr().err


def test_a_link_keeps_its_place(export, tmp_path):
    (tmp_path / "costs.csv").write_text("old", "utf-8")
    link = tmp_path / "latest.csv"
    link.symlink_to("costs.csv")

    assert export("csv", "app_costs", "--output", link) == 0

    assert link.is_symlink()
    assert (tmp_path / "costs.csv").read_text("utf-8").startswith("period,")


@pytest.mark.parametrize(
    ("path", "reason"), [("", "it is a folder"), ("no/costs.csv", "there is no folder")]
)
def test_a_place_that_cannot_be_is_told_by_its_own_name(export, tmp_path, capsys, path, reason):
    assert export("csv", "app_costs", "--output", tmp_path / path) == 2

    told = capsys.readouterr().err
    assert f"Cannot write '{tmp_path / path}': {reason}" in told
    assert ".new" not in told


def test_a_failed_export_leaves_nothing_behind(export, tmp_path):
    export("csv", "nonsense", "--output", tmp_path / "costs.csv")

    assert list(tmp_path.glob("*costs*")) == []


def test_a_period_that_nobody_knows_is_an_error(export, tmp_path, capsys):
    assert export("csv", "app_costs", "--period", "2016-10", "--output", tmp_path / "c.csv") == 2

    assert "Nothing is known of period '2016-10'; the report has: 2026-1" in capsys.readouterr().err
