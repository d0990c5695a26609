"""Writes rate sheets to the warehouse, and the segments that follow from what was observed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import duckdb

    from anchor_autopatch.job.rates.card import RateSheet


def known_sheets(con: duckdb.DuckDBPyConnection) -> set[UUID]:
    """Ids of the sheets that are in the warehouse."""
    return {row[0] for row in con.execute(load("pricing/rates")["known_sheets"]).fetchall()}


def insert_sheets(con: duckdb.DuckDBPyConnection, sheets: Iterable[RateSheet]) -> None:
    """Adds sheets with all their rates; they must not be there yet."""
    held = list(sheets)
    with con.appender("rate_sheet") as appender:
        appender.append_rows([sheet[:-1] for sheet in held])
    with con.appender("rate") as appender:
        appender.append_rows(
            [(*row[:-2], *row.rates, row.rare) for sheet in held for row in sheet.rows]
        )


def refresh_segments(con: duckdb.DuckDBPyConnection, now: datetime) -> list[tuple[Any, ...]]:
    """Derives the list segments from all observations; (model key, provenance) of the new ones.

    Raises:
        StoreError: two segments would price a model at the same instant; the caller rolls back.
    """
    sql = load("pricing/rates")
    con.execute(sql["refresh_segments"])
    con.execute(sql["supersede_segments"], {"now": now})
    added = con.execute(sql["insert_segments"], {"now": now}).fetchall()
    overlap = con.execute(sql["overlapping_segments"]).fetchone()
    if overlap is not None:
        raise StoreError(
            f"Two segments price {overlap[0]!r} from {overlap[1]} on; nothing was taken over, "
            "restore the warehouse from its backup or report this"
        )
    return added
