"""Segments of contracts as pricing joins to them: each over the list's rates of its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.job.rates.overlay import agreed_sheet
from anchor_autopatch.job.rates.store import insert_sheets, known_sheets
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    import duckdb


def agree(con: duckdb.DuckDBPyConnection) -> None:
    """Fills the temporary table `agreed_segment`; names must have been resolved.

    A contract may outlast a change of the list, and cover names of several models: one segment for
    each stretch of time in which neither changes, and each model that its names mean.
    """
    sql = load("pricing/costs")
    con.execute(sql["create_agreed_segments"])
    rows = con.execute(sql["contracts_over_lists"]).fetchall()
    if not rows:
        return
    known = known_sheets(con)
    segments = []
    for *key, card_id, contract, listed, units_with_tokens in rows:
        sheet = agreed_sheet(contract, listed, units_with_tokens=bool(units_with_tokens))
        if sheet.rate_sheet_id not in known:
            insert_sheets(con, [sheet])
            known.add(sheet.rate_sheet_id)
        segments.append((*key, card_id, sheet.rate_sheet_id))
    with con.appender("agreed_segment") as appender:
        appender.append_rows(segments)
