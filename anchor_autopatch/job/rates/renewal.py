"""Moves segments to sheets of the present rules, when an upgrade reads more out of the same fields.

A warehouse that an older version made holds sheets without the newer kinds of rates. Their fields
are all there, so they are built again, under ids of their own: prices that were made with an old
sheet keep it, those of open periods are made anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.job.rates.card import CARD_VERSION, build_sheet, parse_fields
from anchor_autopatch.job.rates.card.fields import canonical, cost_fields, sheet_id
from anchor_autopatch.job.rates.store import insert_sheets, known_sheets, refresh_segments
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import duckdb

    from anchor_autopatch.job.rates.card import RateSheet


def renew_sheets(con: duckdb.DuckDBPyConnection, now: datetime) -> int:
    """Builds the sheets in use again that older rules made; returns how many there were."""
    sql = load("pricing/rates")
    outdated = con.execute(sql["outdated_sheets"], {"card_version": CARD_VERSION}).fetchall()
    if not outdated:
        return 0
    renewed = {old: _rebuild(old, fields, units) for old, fields, units in outdated}
    with transaction(con):
        known = known_sheets(con)
        missing = {sheet.rate_sheet_id: sheet for sheet in renewed.values()}
        insert_sheets(con, [sheet for key, sheet in missing.items() if key not in known])
        con.execute(sql["create_renewed_sheets"])
        with con.appender("renewed_sheet") as appender:
            appender.append_rows([(old, sheet.rate_sheet_id) for old, sheet in renewed.items()])
        con.execute(sql["renew_observations"])
        con.execute(sql["renew_starts"])
        refresh_segments(con, now)
        con.execute(sql["renew_contracts"], {"now": now})
        con.execute(sql["supersede_renewed"], {"now": now})
        con.execute(sql["drop_renewed_sheets"])
    return len(renewed)


def _rebuild(old: UUID, fields: str, units_with_tokens: bool | None) -> RateSheet:
    entry = parse_fields(fields)
    if units_with_tokens is None:
        # The first version did not note it, but its ids depend on it.
        units_with_tokens = old == sheet_id(f"{canonical(cost_fields(entry))}1")
    return build_sheet(entry, units_with_tokens=units_with_tokens)
