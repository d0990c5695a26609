"""Tables that invoices come in: CSV and Parquet, read row by row as text."""

from __future__ import annotations

import csv
import json
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anchor_autopatch.job.invoices.findings import Findings

__all__ = ("Row", "Table", "read_csv", "read_parquet", "require_columns")


class Row(NamedTuple):
    """One row of a table."""

    number: int
    """Line of the file where it begins, from 1; of Parquet, which has no lines, the row."""
    values: dict[str, str]
    """Lower-case column -> text without blanks around it; empty where there is nothing."""

    def get(self, *columns: str) -> str:
        """The first of these columns that has a value; empty when none has."""
        return next((found for name in columns if (found := self.values.get(name, ""))), "")


class Table(NamedTuple):
    """A header and the rows under it; the rows can be walked through once."""

    header: tuple[str, ...]
    """Column names in lower case."""
    header_row: int | None
    """Line of the header; None where the file has no lines."""
    rows: Iterator[Row]


def read_csv(text: str, findings: Findings) -> Table | None:
    """The table of a CSV text (RFC 4180); None, and a finding, without a usable header.

    What is wrong with a row is found when the row is reached; such a row is left out.
    """
    rows = _csv_rows(text, findings)
    number, fields = next(rows, (None, []))
    if number is None:
        return None
    header = tuple(field.strip().lower() for field in fields)
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        findings.add(
            number, f"Columns {header[0]!r} are not separated by commas; export with commas"
        )
        return None
    return Table(header, number, _named_rows(header, rows, findings))


def _csv_rows(text: str, findings: Findings) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    started = 1
    try:
        for fields in reader:
            # A quoted field may hold line breaks: the line where the row began is told.
            number, started = started, reader.line_num + 1
            if any(field.strip() for field in fields):
                yield number, fields
    except csv.Error as error:
        findings.add(
            started,
            f"Wrong quoting ({error}); put the field in double quotes and double those within",
        )


def _named_rows(
    header: tuple[str, ...], rows: Iterator[tuple[int, list[str]]], findings: Findings
) -> Iterator[Row]:
    for number, fields in rows:
        if len(fields) == len(header):
            yield Row(number, dict(zip(header, map(str.strip, fields), strict=True)))
        else:
            findings.add(
                number,
                f"{len(fields)} fields under {len(header)} columns; "
                "put fields that hold a comma in double quotes",
            )


def read_parquet(path: Path, findings: Findings) -> Table | None:
    """The table of a Parquet file, values as CSV would have them; None, and a finding, if broken.

    Maps, structs and lists become JSON; instants become UTC in ISO 8601.
    """
    try:
        con = duckdb.connect()
        con.execute(load("warehouse")["session_time_zone"])
        found = con.read_parquet(str(path))
        plain = found.select(*map(_plain_instant, found.columns, found.types))
        rows = plain.fetchall()
    except duckdb.Error as error:
        reason = str(error).strip().partition("\n")[0]
        findings.add(None, f"Cannot read it as Parquet: {reason}; download the file again")
        return None
    header = tuple(name.lower() for name in plain.columns)
    return Table(header, None, _parquet_rows(rows, header))


def _plain_instant(name: str, kind: object) -> duckdb.Expression:
    # An instant with a zone would need pytz to become Python; in UTC it needs none.
    column = duckdb.ColumnExpression(name)
    return column.cast("TIMESTAMP").alias(name) if "TIME ZONE" in str(kind) else column


def _parquet_rows(rows: list[tuple[object, ...]], header: tuple[str, ...]) -> Iterator[Row]:
    for number, values in enumerate(rows, 1):
        yield Row(number, dict(zip(header, map(_text, values), strict=True)))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (dict, list)):
        return json.dumps(value, default=str, sort_keys=True)
    return str(value).strip()


def require_columns(table: Table, names: tuple[str, ...], findings: Findings) -> bool:
    """Whether all columns are there, each once; what is missing or twice is a finding."""
    before = len(findings)
    shown = ", ".join(table.header)
    for name in names:
        if name not in table.header:
            findings.add(table.header_row, f"Column {name!r} is missing among {shown!r}; add it")
    for name in sorted({name for name in table.header if name and table.header.count(name) > 1}):
        findings.add(table.header_row, f"Column {name!r} occurs twice; remove one of them")
    return len(findings) == before
