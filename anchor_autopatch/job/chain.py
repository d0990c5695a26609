"""Chains of hashes: rows that are only ever added, each bound to the one before it.

A row that is changed, taken out or put in breaks the chain at its place; `chain_head` keeps the
length and the last hash, so that a cut-off end is seen, too. This shows tampering, it does not
prevent it: whoever can rewrite the whole chain and its head can hide. The heads are therefore
printed, published and sealed with each frozen period, where they can be compared.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import duckdb

__all__ = ("CLOSE_EVENTS", "CORRECTIONS", "LEDGER", "Chain", "Head", "append", "breaks", "head")

_GENESIS = "0" * 64


class Chain(NamedTuple):
    """A table whose rows are chained; the first column counts 1, 2, 3 ..."""

    table: str
    columns: tuple[str, ...]
    """Without `prev_hash` and `hash`, in the order that the hash covers them."""


class Head(NamedTuple):
    """How a chain ends."""

    row_count: int
    hash: str


CLOSE_EVENTS = Chain(
    "close_event",
    (
        *("event_no", "period", "version", "action", "state", "actor", "team"),
        *("subject", "digest", "detail", "reason", "recorded_at"),
    ),
)
LEDGER = Chain(
    "ledger_entry",
    (
        *("entry_no", "txn_id", "kind", "period", "posted_period", "mode", "account"),
        *("provider", "provider_account", "invoice_id", "team", "service", "environment"),
        *("amount", "currency", "ref_txn_id", "actor", "reason", "created_at"),
    ),
)
CORRECTIONS = Chain(
    "correction_decision",
    ("decision_no", "correction_id", "first_no", "last_no", "entries_sha256", "recorded_at"),
)


def append(
    con: duckdb.DuckDBPyConnection, chain: Chain, rows: Iterable[Mapping[str, object]]
) -> Head:
    """Adds rows, given without their number, and returns the new end; in the caller's transaction.

    A column that a row does not give is NULL.
    """
    end = head(con, chain)
    statement = _filled("append", chain)
    for row in rows:
        values = (end.row_count + 1, *(row.get(name) for name in chain.columns[1:]))
        digest = _link(end.hash, values)
        con.execute(statement, [*values, end.hash, digest])
        end = Head(end.row_count + 1, digest)
    sql = load("verify/chain")
    con.execute(sql["forget_head"], {"chain": chain.table})
    con.execute(sql["keep_head"], {"chain": chain.table, **end._asdict()})
    return end


def head(con: duckdb.DuckDBPyConnection, chain: Chain) -> Head:
    """The end of the chain as it was noted."""
    row = con.execute(load("verify/chain")["head"], {"chain": chain.table}).fetchone()
    return Head(*row) if row else Head(0, _GENESIS)


def breaks(con: duckdb.DuckDBPyConnection, chain: Chain) -> list[str]:
    """What is off in the chain: at most one broken row, and a noted end that is not its end."""
    before, expected = _GENESIS, 1
    for *values, prev_hash, digest in con.execute(_filled("rows", chain)).fetchall():
        name = f"{chain.table} {values[0]}"
        if values[0] != expected:
            return [f"{chain.table} {expected} is missing; the next one there is {values[0]}"]
        if prev_hash != before:
            return [f"{name} does not follow {chain.table} {expected - 1} as it stands"]
        if _link(prev_hash, values) != digest:
            return [f"{name} is not as it was written"]
        before, expected = digest, expected + 1
    noted = head(con, chain)
    if noted != Head(expected - 1, before):
        return [f"{chain.table} ends with {expected - 1}, it was noted to end with {noted[0]}"]
    return []


def _link(prev_hash: str, values: Sequence[object]) -> str:
    text = json.dumps([prev_hash, *map(_plain, values)], ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        # Written with 2 decimals, read back with 18: the same amount must give the same text.
        # normalize() would round to the 28 digits of the context.
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return value.isoformat() if isinstance(value, datetime) else value


def _filled(statement: str, chain: Chain) -> str:
    """A statement with the names of our own table in it; names cannot be parameters of SQL."""
    columns = (*chain.columns, "prev_hash", "hash")
    return load("verify/chain")[statement].format(
        table=chain.table,
        columns=", ".join(columns),
        marks=", ".join("?" * len(columns)),
        number=chain.columns[0],
    )
