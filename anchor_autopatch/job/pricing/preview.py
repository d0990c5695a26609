"""What another price table would change in money, on the receipts of one's own; changes nothing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.pricing.prices import NO_MODELS, price_collected
from anchor_autopatch.job.rates.segments import insert_new_sheets, priced_models
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from decimal import Decimal

    import duckdb

    from anchor_autopatch.job.rates.source import PriceTable


class Change(NamedTuple):
    """One model whose receipts would cost another amount; USD."""

    provider: str
    model: str
    """As priced with the table, else as the receipts name it."""
    receipt_count: int
    """Whose cost differs."""
    before_usd: Decimal
    """As priced now; receipts without a price count 0."""
    after_usd: Decimal
    """With the table, as if its rates had held all the time."""
    newly_priced: int
    """Receipts that have no price now and would have one."""
    newly_unpriced: int

    @property
    def difference_usd(self) -> Decimal:
        """Positive = dearer with the table."""
        return self.after_usd - self.before_usd


class Preview(NamedTuple):
    """What a table would change, largest difference first."""

    source_version: str
    receipt_count: int
    """Looked at: billable, since the first day asked for."""
    before_usd: Decimal
    after_usd: Decimal
    changes: list[Change]


def preview(
    con: duckdb.DuckDBPyConnection,
    table: PriceTable,
    *,
    since: datetime,
    now: datetime,
    models: Mapping[str, str] = NO_MODELS,
) -> Preview:
    """Prices what began at `since` (UTC) or later as if the rates of `table` had always held.

    `models` are names of one's own, see `price`. Contracts go on to outrank the table; models that
    it does not have keep the rates they have.
    """
    identities = priced_models(table)
    sql = load("pricing/rates")
    with undone(con):
        insert_new_sheets(con, table, identities)
        con.execute(sql["create_preview_segments"])
        with con.appender("preview_segment") as appender:
            appender.append_rows(
                [
                    (key, str(table.models[key]["litellm_provider"]), sheet)
                    for key, sheet in identities.items()
                ]
            )
        con.execute(sql["set_lists_aside"])
        con.execute(sql["assume_preview_segments"], {"now": now})
        con.execute(load("pricing/prices")["collect_since"], {"since": since})
        price_collected(con, now, models)
        changes = [Change(*row) for row in con.execute(sql["preview_changes"]).fetchall()]
        [(count, before, after)] = con.execute(sql["preview_totals"]).fetchall()
    return Preview(table.version, count, before, after, changes)


@contextmanager
def undone(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Takes back whatever the block did, temporary tables included."""
    con.begin()
    try:
        yield
    finally:
        con.rollback()
