"""Brings the tables of an older warehouse to the present schema, rows kept.

The schema scripts are the only description of it: a table whose columns are not those that the
scripts make is made anew beside the old one, the columns that both have are copied, the old one
goes. So an added column needs no script of its own; it must allow NULL or have a default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCHEMA_STATE = "schema_state"
"""The table that says which schema a file has; made before any other."""
_BEFORE = "__before"

_Columns = tuple[tuple[str, str], ...]
"""(name, type) of each column, in order."""


def apply_scripts(con: duckdb.DuckDBPyConnection, scripts: Sequence[str]) -> None:
    """Runs the schema scripts in the caller's transaction; tables that differ are made anew."""
    held = _tables(con)
    # A new file has no table that could be outdated; finding out would make the schema twice.
    wanted = _made_by(scripts) if held.keys() - {SCHEMA_STATE} else {}
    outdated = [table for table in held if table in wanted and held[table] != wanted[table]]
    for table in outdated:
        con.execute(_filled("rename_table", table=table, before=table + _BEFORE))
    for script in scripts:
        con.execute(script)
    # By name, since the order of columns may have changed as well.
    for table in outdated:
        kept = [name for name, _ in held[table] if name in dict(wanted[table])]
        columns = ", ".join(f'"{name}"' for name in kept)
        con.execute(_filled("copy_rows", table=table, before=table + _BEFORE, columns=columns))
        con.execute(_filled("drop_table", table=table + _BEFORE))


def _made_by(scripts: Sequence[str]) -> Mapping[str, _Columns]:
    # In memory, where what the scripts make can be compared without touching the file.
    with duckdb.connect() as con:
        for script in scripts:
            con.execute(script)
        return _tables(con)


def _tables(con: duckdb.DuckDBPyConnection) -> Mapping[str, _Columns]:
    found: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in con.execute(load("warehouse")["table_columns"]).fetchall():
        found.setdefault(table, []).append((column, kind))
    return {table: tuple(columns) for table, columns in found.items()}


def _filled(statement: str, **names: str) -> str:
    """A statement with names of our own tables in it; names cannot be parameters of SQL."""
    return load("warehouse")[statement].format(**names)
