"""The key map of `anchor.toml`: which billing account pays for an API key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection


def text_table(config: Mapping[str, object], section: str) -> dict[str, str]:
    """A section of `anchor.toml` that maps texts to texts; {} when it is not there.

    Raises:
        ConfigError: the section is no table, or one of its values is no text.
    """
    table = config.get(section, {})
    if not isinstance(table, dict):
        raise ConfigError(f"Cannot use {section!r} in anchor.toml: expected a table [{section}]")
    for key, value in table.items():
        if not isinstance(value, str):
            raise ConfigError(
                f"Cannot use {value!r} for {key!r} in [{section}] of anchor.toml; expected a text"
            )
    return table


def sync_accounts(con: DuckDBPyConnection, accounts: Mapping[str, str]) -> bool:
    """Makes the warehouse follow the map, open periods included; True when it changed."""
    sql = load("accounts")
    known = dict(con.execute(sql["known"]).fetchall())
    changed = dict(known.items() ^ accounts.items())
    if not changed:
        return False
    with transaction(con):
        con.execute(sql["forget"])
        for api_key_id, provider_account in accounts.items():
            row = {"api_key_id": api_key_id, "provider_account": provider_account}
            con.execute(sql["insert"], row)
        con.execute(sql["move_receipts"], {"api_key_ids": list(changed)})
    return True
