"""Whatever single byte of a closed month was changed, `anchor verify` names the row of it."""

from __future__ import annotations

import json
import random
import shutil

import pytest

from anchor_autopatch.job.close.sealing import seal_path
from anchor_autopatch.job.verify.closing import check_closed, check_ledger
from anchor_autopatch.job.warehouse import open_warehouse

CHAINED = {"ledger_entry": "entry_no", "close_event": "event_no"}
SEALED = (
    *("invoice", "invoice_line", "line_match", "receipt_anchor", "cost_split"),
    *("reconciliation", "receipt_price", "division_rule"),
)


@pytest.fixture
def home(closed_home, tmp_path):
    """A copy of it, to be tampered with."""
    return shutil.copytree(closed_home, tmp_path / "home")


def columns_of(con, relation):
    """Columns that hold something, with their types, but those that say which month a row is of."""
    rows = con.execute(f"DESCRIBE {relation}").fetchall()
    filled = f"SELECT count(*) FROM {relation} WHERE {{0}}::TEXT <> ''"
    return [
        (name, kind)
        for name, kind, *_ in rows
        if name not in ("period", "billing_month")
        and con.execute(filled.format(name)).fetchone()[0]
    ]


def another(kind, column, chance):
    """SQL of the column with one character changed, one unit in the last place, or the like."""
    if kind == "VARCHAR":
        at = chance.randrange(2)
        letter = f"chr(((ascii({column}[{at + 1}]) + 1) % 128)::INT)"
        return f"left({column}, {at}) || {letter} || substr({column}, {at + 2})"
    if kind.startswith("DECIMAL"):
        scale = int(kind.split(",")[1].rstrip(")"))
        return f"{column} + {'0.' + '0' * (scale - 1) + '1' if scale else '1'}"
    return {
        "TIMESTAMP": f"{column} + INTERVAL 1 MICROSECOND",
        "BOOLEAN": f"NOT {column}",
    }.get(kind, f"{column} + 1")


def text_of(con, relation, row):
    sql = f"SELECT to_json(held)::TEXT FROM (FROM {relation} WHERE rowid = {row}) AS held"
    return con.execute(sql).fetchone()[0]


def edit_one(con, relation, chance):
    """Changes one byte of one value; the row as JSON, before and after."""
    column, kind = chance.choice(columns_of(con, relation))
    sql = f"SELECT rowid FROM {relation} WHERE {column}::TEXT <> '' ORDER BY rowid"
    (row,) = chance.choice(con.execute(sql).fetchall())
    before = text_of(con, relation, row)
    value = another(kind, column, chance)
    con.execute(f"UPDATE {relation} SET {column} = {value} WHERE rowid = {row}")
    return before, text_of(con, relation, row)


def faults(con, home):
    return [*check_ledger(con).faults, *check_closed(con, home).faults]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("relation", CHAINED)
def test_a_changed_byte_of_a_chain_names_its_row(home, relation, seed):
    with open_warehouse(home) as con:
        before, after = edit_one(con, relation, random.Random(seed))
        number, other = (json.loads(row)[CHAINED[relation]] for row in (before, after))

        found = faults(con, home)
        # A row with another number leaves a gap, or stands before the one that it follows.
        assert any(f"{relation} {each} " in fault for fault in found for each in (number, other))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("relation", SEALED)
def test_a_changed_byte_of_a_frozen_row_names_the_row(home, relation, seed):
    with open_warehouse(home) as con:
        before, after = edit_one(con, relation, random.Random(seed))

        found = faults(con, home)
        start = f"period 2026-10, {relation}: this row was"
        assert {f"{start} sealed and is not there: {before}", f"{start} not sealed: {after}"} & {
            *found
        }


@pytest.mark.parametrize("seed", range(12))
def test_a_changed_byte_of_a_statement_names_it(home, seed):
    chance = random.Random(seed)
    with open_warehouse(home) as con:
        rows = con.execute("SELECT rowid, team, format, length(body) FROM statement").fetchall()
        row, team, kind, length = chance.choice(rows)
        at = chance.randrange(length)
        changed = f"left(body, {at}) || CASE body[{at + 1}] WHEN 'x' THEN 'y' ELSE 'x' END"
        con.execute(
            f"UPDATE statement SET body = {changed} || substr(body, {at + 2}) WHERE rowid = {row}"
        )

        assert faults(con, home)[0] == (
            f"statement 2026-10 of {team or 'all teams'} ({kind}) is not as it was signed"
        )


def test_a_statement_that_changed_hands_is_named(home):
    with open_warehouse(home) as con:
        con.execute("UPDATE statement SET team = 'medie' WHERE team = 'media' AND format = 'csv'")

        assert faults(con, home)[:2] == [
            "statement 2026-10 of medie (csv) was not signed",
            "statement 2026-10 of media (csv) was signed and is not there",
        ]


@pytest.mark.parametrize("seed", range(12))
def test_a_changed_byte_of_the_seal_names_what_it_no_longer_proves(home, seed):
    chance, path = random.Random(seed), seal_path(home, "2026-10", 1)
    data = bytearray(path.read_bytes())
    # The file begins with three headers of 4 KiB; a block that holds rows has its sum before them.
    data[chance.randrange(3 * 4096, len(data))] ^= 1 << chance.randrange(8)
    path.chmod(0o600)
    path.write_bytes(data)

    with open_warehouse(home) as con:
        found = faults(con, home)

    assert "is not the file that period 2026-10 was sealed in" in found[0]
    assert all("cannot be read" in fault for fault in found[1:])
    assert len(found) > 1
