"""Writes a relation of report.duckdb to a file, for spreadsheets and other tools."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.core.policy.values import suggestion
from anchor_autopatch.core.settings import REPORT_FILE
from anchor_autopatch.job.placing import placed
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ("KINDS", "export_relation", "open_report")

KINDS = ("csv", "parquet")
_ISO = "%Y-%m-%dT%H:%M:%S.%fZ"


@contextmanager
def open_report(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yields the published report, read-only.

    Raises:
        StoreError: none was published yet, or by a version that had other relations.
    """
    report = home / REPORT_FILE
    if not report.exists():
        raise StoreError(f"There is no {str(report)!r} yet; run anchor reconcile first")
    try:
        with duckdb.connect(str(report), read_only=True) as con:
            yield con
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        # After an upgrade, until the first run: our own statements ask for what is not there yet.
        reason = str(error).strip().partition("\n")[0]
        raise StoreError(
            f"{str(report)!r} was published by another version ({reason}); run anchor reconcile"
        ) from error


def export_relation(
    home: Path, relation: str, path: Path, *, kind: str, period: str | None = None
) -> int:
    """Writes all rows, or those of a period; a file that is there is replaced when all is well.

    Args:
        home: Holds report.duckdb.
        relation: Name of one of its relations.
        path: File to write.
        kind: One of KINDS; instants are ISO 8601 with Z in CSV, native in Parquet.
        period: YYYY-MM; None = all.

    Returns:
        Rows written.

    Raises:
        StoreError: no such relation, it has no periods, or the file cannot be written.
    """
    with placed(path) as made, open_report(home) as con:
        rows = _rows(con, relation, period)
        ((count,),) = rows.count("*").fetchall()
        if kind == "csv":
            rows.write_csv(str(made), timestamp_format=_ISO)
        else:
            rows.write_parquet(str(made))
    return int(count)


def _rows(
    con: duckdb.DuckDBPyConnection, relation: str, period: str | None
) -> duckdb.DuckDBPyRelation:
    known = [name for (name,) in con.execute(load("publish/report")["relations"]).fetchall()]
    if relation not in known:
        raise StoreError(f"Unknown relation {relation!r}{suggestion(relation, known)}")
    # From the closed list above: a name cannot be a parameter of SQL.
    rows = con.table(relation)
    if period is None:
        return rows
    if "period" not in rows.columns:
        raise StoreError(f"Relation {relation!r} has no periods; leave --period out")
    # Expressions, not SQL text: the period is what somebody typed.
    found = rows.filter(duckdb.ColumnExpression("period") == duckdb.ConstantExpression(period))
    # A mistyped period and one without costs look the same in an empty file.
    if not found.limit(1).fetchall():
        _expect_published(con, period)
    return found


def _expect_published(con: duckdb.DuckDBPyConnection, period: str) -> None:
    periods = [each for (each,) in con.execute(load("publish/report")["periods"]).fetchall()]
    if period not in periods:
        known = ", ".join(periods) or "no period yet"
        raise StoreError(f"Nothing is known of period {period!r}; the report has: {known}")
