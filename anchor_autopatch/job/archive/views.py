"""Views of report.duckdb over row detail, whichever of it the warehouse and the archive have.

A query gives the same sums before a purge and after it. What it cannot give it refuses: a report
that was copied to where the files are not, or that has outlived one of them, names the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

_HELD_IN = {
    "receipts": "receipts",
    "usage_lines": "receipts",
    "exception_events": "exception_events",
}
"""View -> relation whose files hold its purged rows."""


def create_views(con: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Makes them in the attached report, over the rows that were published into it before.

    A missing file makes its views refuse every query, and nothing else: the rest of the report,
    and `kept_rows` in it, are as good as ever.
    """
    sql = load("publish/archived")
    for relation, holder in _HELD_IN.items():
        paths = _paths(con, home, holder)
        missing = [path for path in paths if not path.is_file()]
        if missing:
            name, filled = "broken", {"message": _quoted(_refusal(missing[0], relation))}
        elif paths:
            name, filled = relation, {"files": ", ".join(_quoted(str(path)) for path in paths)}
        else:
            name, filled = "kept", {}
        # Relations are those above, and texts are quoted: a view can have no parameters.
        con.execute(_filled(sql[name], relation=relation, **filled))


def find_missing(con: duckdb.DuckDBPyConnection, home: Path) -> list[str]:
    """One line for each file of the archive that is gone and holds rows that are nowhere else."""
    return [
        f"Archive file {str(path)!r} is gone, and its {holder} are nowhere else; "
        "put it back and run anchor reconcile again"
        for holder in dict.fromkeys(_HELD_IN.values())
        for path in _paths(con, home, holder)
        if not path.is_file()
    ]


def _paths(con: duckdb.DuckDBPyConnection, home: Path, holder: str) -> list[Path]:
    found = con.execute(load("publish/archived")["files"], {"relation": holder}).fetchall()
    # Absolute: a relative path would be sought in the folder in which somebody happens to query.
    return [home.absolute() / path for (path,) in found]


def _refusal(path: Path, relation: str) -> str:
    return (
        f"Archive file {str(path)!r} was gone when this report was made: {relation} would lack "
        f"its rows; put it back and run anchor reconcile, or query kept_rows.{relation}"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _filled(statement: str, **texts: str) -> str:
    """Puts texts in the place of their names; not by `format`, since SQL has braces of its own."""
    for name, text in texts.items():
        statement = statement.replace(f"{{{name}}}", text)
    return statement
