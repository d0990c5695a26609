"""Rate cards in the warehouse: what was observed when, and the segments that price a day.

A card is known by the digest of its rates. Its first observation counts: installing an older
package again teaches nothing new and moves no price.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.rates.card import build_sheet, sheet_identity
from anchor_autopatch.job.rates.card.fields import number
from anchor_autopatch.job.rates.contracts import ContractTerms, set_rate
from anchor_autopatch.job.rates.renewal import renew_sheets
from anchor_autopatch.job.rates.source import PriceTable, read_installed
from anchor_autopatch.job.rates.store import insert_sheets, known_sheets, refresh_segments
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import duckdb

    from anchor_autopatch.job.rates.card.fields import Entry

__all__ = ("ContractTerms", "SyncReport", "set_rate", "sync_installed", "sync_table")

_NO_MODELS = frozenset(("sample_spec", "fallback_generalizations"))


class SyncReport(NamedTuple):
    """What one sync learnt."""

    rate_card_id: str
    source_version: str
    model_count: int
    is_new: bool
    """False when the card was known already."""
    new_models: int
    changed_models: int


def sync_installed(con: duckdb.DuckDBPyConnection, now: datetime) -> SyncReport:
    """Takes over the price table of the installed litellm package, seen `now` unless it was before.

    Raises:
        ConfigError: there is no such package, or its table cannot be read.
    """
    return sync_table(con, read_installed(), observed_at=now, now=now)


def sync_table(
    con: duckdb.DuckDBPyConnection, table: PriceTable, *, observed_at: datetime, now: datetime
) -> SyncReport:
    """Takes over a price table that was first seen at `observed_at`, in one transaction.

    Tables may come in any order: the segments follow from all observations together.
    """
    renew_sheets(con, now)
    known = _known(con, table.content_sha256)
    if known is not None:
        return known._replace(source_version=table.version)
    identities = priced_models(table)
    card_id = _card_id(identities)
    known = _known(con, card_id)
    if known is not None:
        return known._replace(source_version=table.version)
    card = {
        "rate_card_id": card_id,
        "content_sha256": table.content_sha256,
        "source": table.source,
        "source_version": table.version,
        "observed_at": observed_at,
        "recorded_at": now,
        "model_count": len(identities),
    }
    sql = load("pricing/rates")
    with transaction(con):
        insert_new_sheets(con, table, identities)
        con.execute(sql["insert_card"], card)
        with con.appender("rate_observation") as appender:
            appender.append_rows([(card_id, key, sheet) for key, sheet in identities.items()])
        added = refresh_segments(con, now)
    first = sum(1 for _, provenance in added if provenance == "oldest known rates")
    changed = len({key for key, provenance in added if provenance != "oldest known rates"})
    return SyncReport(card_id, table.version, len(identities), True, first, changed)


def priced_models(table: PriceTable) -> dict[str, UUID]:
    """Model key -> id of its sheet, for the models that the table has any rate of."""
    return {
        key: sheet_identity(entry) for key, entry in table.models.items() if _is_priced(key, entry)
    }


def _known(con: duckdb.DuckDBPyConnection, digest: str) -> SyncReport | None:
    """What is known of a card by the digest of its text or of its rates."""
    row = con.execute(load("pricing/rates")["known_card"], {"digest": digest}).fetchone()
    return SyncReport(row[0], row[1], row[2], False, 0, 0) if row else None


def insert_new_sheets(
    con: duckdb.DuckDBPyConnection, table: PriceTable, identities: dict[str, UUID]
) -> None:
    """Adds the sheets of a table (model key -> sheet) that the warehouse does not have."""
    known = known_sheets(con)
    # Many keys share their rates; one entry stands for all of them.
    missing = {sheet: key for key, sheet in identities.items() if sheet not in known}
    insert_sheets(con, [build_sheet(table.models[key]) for key in missing.values()])


def _card_id(identities: dict[str, UUID]) -> str:
    lines = "\n".join(f"{key} {identities[key]}" for key in sorted(identities))
    return hashlib.sha256(lines.encode()).hexdigest()


def _is_priced(key: str, entry: Entry) -> bool:
    """Whether an entry states any rate; capability rules and documentation rows do not."""
    if key in _NO_MODELS or not entry.get("litellm_provider"):
        return False
    return "tiered_pricing" in entry or any(
        "cost" in name and (number(value) is not None or isinstance(value, dict))
        for name, value in entry.items()
    )
