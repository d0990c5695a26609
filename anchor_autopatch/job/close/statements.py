"""Statements: what each team is shown or charged for a period, bound by digests.

The CSV is the statement; Markdown and HTML show the same rows and print its SHA-256, so that a
page on paper can be held against the file. Nothing in them depends on when they were made: the
same figures give the same bytes.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.close.events import state_of
from anchor_autopatch.job.close.rendering import Correction, Line, Sheet, as_csv, as_html, as_md
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    import duckdb

__all__ = (
    "EVERYTHING",
    "FORMATS",
    "UNATTRIBUTED",
    "Statement",
    "digest_of",
    "keep",
    "kept",
    "make",
    "manifest_name",
)

EVERYTHING = ""
"""The statement of the whole period."""
UNATTRIBUTED = "__unattributed"
FORMATS = ("csv", "md", "html")


class Statement(NamedTuple):
    """One statement in one format."""

    team: str
    format: str
    body: str
    sha256: str


def make(
    con: duckdb.DuckDBPyConnection, period: str, version: int, mode: str
) -> tuple[Statement, ...]:
    """The statements of a period as its figures are now: one of everything, one for each team."""
    parameters = {"period": period}
    lines = [
        Line(*row) for row in con.execute(load("close")["statement_lines"], parameters).fetchall()
    ]
    corrections = [
        Correction(*row)
        for row in con.execute(load("close")["statement_corrections"], parameters).fetchall()
    ]
    rows: list[Line | Correction] = [*lines, *corrections]
    teams = sorted({row.team for row in rows})
    sheets = [Sheet(period, version, mode, EVERYTHING, tuple(lines), tuple(corrections))]
    sheets += [
        Sheet(
            period,
            version,
            mode,
            team,
            tuple(line for line in lines if line.team == team),
            tuple(each for each in corrections if each.team == team),
        )
        for team in teams
    ]
    return tuple(statement for sheet in sheets for statement in _formats(sheet))


def digest_of(statements: Sequence[Statement], team: str = EVERYTHING) -> str:
    """SHA-256 (hex) that a sign-off binds: of a team's statement, or of all together."""
    if team != EVERYTHING:
        return next(each.sha256 for each in statements if (each.team, each.format) == (team, "csv"))
    manifest = [[each.team, each.format, each.sha256] for each in statements]
    return sha256(json.dumps(sorted(manifest)).encode()).hexdigest()


def manifest_name(statement: Statement) -> str:
    """What a statement is called beside its digest, where a freeze notes them all."""
    return f"{statement.team or 'all teams'} ({statement.format})"


def keep(
    con: duckdb.DuckDBPyConnection, period: str, version: int, statements: Sequence[Statement]
) -> None:
    """Keeps the statements of a version in place of those before, in the caller's transaction."""
    sql, key = load("close"), {"period": period, "version": version}
    con.execute(sql["forget_statements"], key)
    for statement in statements:
        con.execute(sql["keep_statement"], {**key, **statement._asdict()})


def kept(con: duckdb.DuckDBPyConnection, period: str, version: int) -> tuple[Statement, ...]:
    """The statements of a version as they were kept."""
    parameters = {"period": period, "version": version}
    return tuple(
        map(Statement._make, con.execute(load("close")["statements"], parameters).fetchall())
    )


def current(con: duckdb.DuckDBPyConnection, period: str, mode: str) -> tuple[Statement, ...]:
    """The statements of a period: as they were reviewed, else as its figures are now.

    Raises:
        ConfigError: nothing of the period was ever reconciled.
    """
    standing = state_of(con, period)
    return kept(con, period, standing.version) or make(con, period, standing.version, mode)


def file_name(period: str, statement: Statement) -> str:
    """Where a statement is written; what file systems may not like in a team's name is replaced."""
    team = re.sub(r"[^\w.-]+", "_", statement.team).lstrip(".") or "all"
    return f"{period}-{team}.{statement.format}"


def team_totals(con: duckdb.DuckDBPyConnection, period: str) -> Mapping[str, Mapping[str, Decimal]]:
    """Team -> currency -> what it is charged."""
    rows = con.execute(load("close")["team_totals"], {"period": period}).fetchall()
    return {
        team: {currency: amount for _, currency, amount in group}
        for team, group in groupby(rows, key=lambda row: str(row[0]))
    }


def _formats(sheet: Sheet) -> list[Statement]:
    csv = as_csv(sheet)
    digest = _sha256(csv)
    bodies = {"csv": csv, "html": as_html(sheet, digest), "md": as_md(sheet, digest)}
    return [Statement(sheet.team, name, body, _sha256(body)) for name, body in bodies.items()]


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()
