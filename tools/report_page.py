"""Writes the relations of report.duckdb, their columns and comments, into docs/report.md.

Run by `.venv/bin/python tools/report_page.py`; a test holds that the page is up to date.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

from anchor_autopatch.job.publish import publish
from anchor_autopatch.job.warehouse import open_warehouse

PAGE = Path(__file__).resolve().parents[1] / "docs" / "report.md"
_MARK = "<!-- From here on written by tools/report_page.py -->\n"
# What people ask for first; the rest follows by name.
_FIRST = (
    "app_costs",
    "feature_costs",
    "user_costs",
    "request_costs",
    "receipts",
    "usage_lines",
    "reconciliation",
    "invoices",
    "exception_events",
)
_RELATIONS = """
    SELECT table_name, comment FROM duckdb_tables() WHERE schema_name = 'main'
    UNION ALL
    SELECT view_name, comment FROM duckdb_views() WHERE NOT internal
"""
_COLUMNS = """
    SELECT column_name, data_type, comment
    FROM duckdb_columns()
    WHERE table_name = $relation
        AND schema_name = 'main'
    ORDER BY column_index
"""


class _Relation(NamedTuple):
    name: str
    comment: str


def page() -> str:
    """The text that the page should have: its own introduction, then what an empty report says."""
    introduction = PAGE.read_text(encoding="utf-8").partition(_MARK)[0]
    with tempfile.TemporaryDirectory() as folder:
        with open_warehouse(Path(folder)) as con:
            report = publish(con, Path(folder), datetime(2026, 1, 1, tzinfo=UTC))
        return "\n".join([introduction + _MARK, *_sections(report)])


def _sections(report: Path) -> list[str]:
    with duckdb.connect(str(report), read_only=True) as con:
        relations = map(_Relation._make, con.execute(_RELATIONS).fetchall())
        return [
            _section(relation, con.execute(_COLUMNS, {"relation": relation.name}).fetchall())
            for relation in sorted(relations, key=_place)
        ]


def _place(relation: _Relation) -> tuple[int, str]:
    known = relation.name in _FIRST
    return (_FIRST.index(relation.name) if known else len(_FIRST), relation.name)


def _section(relation: _Relation, columns: list[tuple[str, str, str]]) -> str:
    head = [f"## {relation.name}", "", f"{relation.comment}.", ""]
    rows = [f"| `{name}` | {type_} | {_cell(comment)} |" for name, type_, comment in columns]
    return "\n".join([*head, "| column | type | meaning |", "|---|---|---|", *rows, ""])


def _cell(comment: str) -> str:
    return comment.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
