"""A warehouse of an earlier version is brought to the present schema with its rows."""

from __future__ import annotations

import duckdb
import pytest

from anchor_autopatch.job.migration import apply_scripts

FIRST = ["CREATE TABLE IF NOT EXISTS call (id VARCHAR NOT NULL UNIQUE, team VARCHAR, cost BIGINT);"]
SECOND = [
    "CREATE TABLE IF NOT EXISTS call (id VARCHAR NOT NULL UNIQUE, retried BOOLEAN NOT NULL "
    "DEFAULT false, team VARCHAR, cost DECIMAL(38, 2));"
    "CREATE OR REPLACE VIEW team AS SELECT team, retried FROM call;"
]


@pytest.fixture
def con():
    with duckdb.connect() as con:
        apply_scripts(con, FIRST)
        con.execute("INSERT INTO call VALUES ('a', 'red', 3), ('b', NULL, NULL)")
        yield con


def columns(con):
    return [row[:2] for row in con.execute("DESCRIBE call").fetchall()]


def test_rows_are_kept_when_columns_are_added_and_changed(con):
    apply_scripts(con, SECOND)

    rows = con.execute("SELECT id, retried, team, cost::VARCHAR FROM call ORDER BY id").fetchall()
    assert rows == [("a", False, "red", "3.00"), ("b", False, None, None)]


def test_migrated_table_is_the_table_of_a_new_warehouse(con):
    apply_scripts(con, SECOND)

    with duckdb.connect() as new:
        apply_scripts(new, SECOND)
        assert columns(con) == columns(new)


def test_column_that_is_gone_goes(con):
    apply_scripts(con, ["CREATE TABLE IF NOT EXISTS call (id VARCHAR NOT NULL UNIQUE);"])

    assert con.execute("SELECT * FROM call ORDER BY ALL").fetchall() == [("a",), ("b",)]


def test_constraints_still_hold_afterwards(con):
    apply_scripts(con, SECOND)

    with pytest.raises(duckdb.ConstraintException):
        con.execute("INSERT INTO call (id) VALUES ('a')")


def test_failed_migration_leaves_everything_as_it_was(con):
    con.begin()
    with pytest.raises(duckdb.Error):
        apply_scripts(con, ["CREATE TABLE IF NOT EXISTS call (id INTEGER NOT NULL);"])
    con.rollback()

    assert con.execute("SELECT count(*) FROM call").fetchone() == (2,)
    assert columns(con)[0] == ("id", "VARCHAR")
