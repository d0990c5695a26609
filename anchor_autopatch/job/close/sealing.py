"""Sealed periods: a read-only copy of everything that a frozen period consists of.

DuckDB has no triggers, so nothing in the warehouse itself can refuse an UPDATE. What the engine
can enforce is a file that is attached READ_ONLY: each frozen version has one of its own, mode
0400, whose SHA-256 stands in the chain of events. `anchor verify` holds every row against it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import private_files

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ("FOLDER", "Difference", "compare", "digest_of_file", "seal", "seal_path")

FOLDER = "closed"

_MONTH = "period = '{period}'"
# Relation -> what of it belongs to a period. Prices are compared for receipts that carry money of
# the period only: those of late receipts are no part of it.
_FILTERS = {
    "invoice": _MONTH,
    "invoice_line": "billing_month = '{period}'",
    "usage_evidence": _MONTH,
    "line_match": _MONTH,
    "receipt_anchor": _MONTH,
    "cost_split": _MONTH,
    "reconciliation": _MONTH,
    "variance_line": _MONTH,
    "division_rule": _MONTH,
    "receipt_price": (
        "receipt_id IN (SELECT receipt_id FROM receipt_anchor WHERE period = '{period}')"
    ),
}
# What retention takes out of the warehouse stays in the seal.
_PURGED = "receipt_id NOT IN (SELECT row_id FROM purged_row WHERE relation = 'receipts')"
_STILL_HELD = {"receipt_anchor": _PURGED, "receipt_price": _PURGED}
_FROZEN = {
    "cost_split": (
        "* REPLACE (CASE WHEN invoice_id IS NULL THEN status ELSE 'frozen' END AS status)"
    ),
    "reconciliation": "* REPLACE ('frozen' AS status)",
}


class Difference(NamedTuple):
    """A row that the seal and the warehouse do not agree on."""

    relation: str
    side: str
    """sealed = only the seal has it; warehouse = only the warehouse has it; unproven = the
    warehouse has it, and its seal cannot be read."""
    row: str
    """JSON."""


def seal_path(home: Path, period: str, version: int) -> Path:
    """Where a version of a period is sealed."""
    return home / FOLDER / f"{period}.v{version}.duckdb"


def seal(con: duckdb.DuckDBPyConnection, home: Path, period: str, version: int) -> str:
    """Writes the file as the period will be when it is frozen, and returns its SHA-256.

    Outside of any transaction: one may write to a single file only.

    Raises:
        StoreError: it cannot be written.
    """
    path = seal_path(home, period, version)
    made = path.with_name(f".{path.name}.new")
    with private_files():
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            made.unlink(missing_ok=True)
            con.execute(load("close")["attach_new_seal"], {"path": str(made)})
            try:
                for relation in _FILTERS:
                    con.execute(_filled("seal_rows", relation, period, _FROZEN.get(relation, "*")))
            finally:
                con.execute(load("close")["detach_seal"])
            made.chmod(0o400)
            digest = digest_of_file(made)
            made.replace(path)
        except (OSError, duckdb.Error) as error:
            reason = str(error).strip().partition("\n")[0]
            raise StoreError(f"Cannot seal period {period!r} in {str(path)!r}: {reason}") from error
    return digest


def digest_of_file(path: Path) -> str:
    """SHA-256 (hex) of a file.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def compare(
    con: duckdb.DuckDBPyConnection, home: Path, period: str, version: int
) -> list[Difference]:
    """Rows of the period that are not as they were sealed, at most 20 of each relation.

    Of a relation that the file cannot give any more, rows of the warehouse are unproven.

    Raises:
        duckdb.Error: the file cannot be opened at all.
    """
    found = []
    with _attached(con, seal_path(home, period, version)):
        for relation in _FILTERS:
            try:
                columns = _sealed_columns(con, relation)
                if not columns:
                    # Sealed by a version that did not have the relation yet.
                    continue
                rows = con.execute(_filled("changed_rows", relation, period, columns)).fetchall()
            except duckdb.Error:
                # DuckDB sums up each block of the file: one that was changed it does not read.
                rows = con.execute(_filled("unproven_rows", relation, period, "*")).fetchall()
            found += [Difference(relation, side, text) for side, text in rows]
    return found


def _sealed_columns(con: duckdb.DuckDBPyConnection, relation: str) -> str:
    """Those that the relation had when it was sealed: later ones say nothing of the period."""
    rows = con.execute(load("close")["sealed_columns"], {"relation": relation}).fetchall()
    return ", ".join(f'"{name}"' for (name,) in rows)


@contextmanager
def _attached(con: duckdb.DuckDBPyConnection, path: Path) -> Iterator[None]:
    con.execute(load("close")["attach_seal"], {"path": str(path)})
    try:
        yield
    finally:
        con.execute(load("close")["detach_seal"])


def _filled(statement: str, relation: str, period: str, columns: str) -> str:
    """A statement about one of our relations; neither names nor a CREATE take parameters."""
    if not (period[:4] + period[5:]).isdigit():
        raise StoreError(f"Cannot seal period {period!r}; expected YYYY-MM")
    return load("close")[statement].format(
        relation=relation,
        columns=columns,
        filter=_FILTERS[relation].format(period=period),
        still_held=_STILL_HELD.get(relation, "true"),
    )
