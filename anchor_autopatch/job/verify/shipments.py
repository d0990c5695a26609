"""Shipments against the warehouse: the rows that are there are those that the writers wrote.

A shipment keeps the SHA-256 over the checksums that its rows had in the outbox. The checksums are
worked out again from the warehouse, field by field, so that a row that was changed, added or taken
away after shipping is seen, whoever did it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import duckdb

from anchor_autopatch.core.outbox_format import ROW_FORMAT, row_crc
from anchor_autopatch.job.ship.outbox_rows import batch_checksum
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.verify.link import SHOWN_FAULTS, Link
from anchor_autopatch.job.verify.sums import faults_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_FETCH_ROWS = 10_000

_SENTENCES = {
    "unaccounted_numbers": "outbox {0}: rows {1} to {2} of its writer, accounted for: {3}",
    "watermarks": "outbox {0}: its watermark is {1}, its last shipment ended at {2}",
    "rows_of_outboxes": "outbox {0}: {1} rows were shipped, the warehouse holds {2}",
    "doubled_receipts": "receipt {0} is in the warehouse {1} times",
    "doubled_events": "exception event {0} is in the warehouse {1} times",
}


def check_shipments(con: duckdb.DuckDBPyConnection, home: Path, totals: Mapping[str, int]) -> Link:
    """Counts and contents of everything that was ever shipped; `home` holds the archive."""
    purged = f", {totals['purged']} older ones in the archive" if totals["purged"] else ""
    proven = (
        f"{totals['shipments']} shipments: {totals['receipts']} receipts and {totals['events']} "
        f"exception events are in the warehouse as they were written, each once{purged}"
    )
    return Link("shipments", proven, (*faults_of(con, _SENTENCES), *_changed(con, home)))


class _Shipment(NamedTuple):
    outbox_id: str
    after_seq: int
    last_seq: int
    receipts: int
    events: int
    duplicates: int
    checksum: str
    is_only_writer: bool
    row_format: str
    is_kept: bool
    """Whether all its rows are in the warehouse or in the archive."""
    path: str


class _Numbered(NamedTuple):
    outbox_id: str
    seq: int
    crc: int


def _changed(con: duckdb.DuckDBPyConnection, home: Path) -> list[str]:
    try:
        receipts = _Rows(con, home, "receipts", "receipt_rows")
        events = _Rows(con, home, "exception_events", "event_rows")
    except duckdb.IOException as error:
        reason = str(error).strip().partition("\n")[0]
        return [f"the archive of purged rows cannot be read: {reason}"]
    found: list[str] = []
    for row in con.execute(load("verify/sums")["shipments"]).fetchall():
        shipment = _Shipment(*row)
        if not shipment.is_kept:
            continue
        if not shipment.is_only_writer or shipment.row_format != ROW_FORMAT:
            # Two clones number different rows alike, and rows of another version had other
            # columns: only their counts can be compared.
            continue
        rows = (*receipts.take(shipment), *events.take(shipment))
        # Rows that came by another outbox first were left out: the rest has no digest.
        checksum = batch_checksum(row.crc for row in rows)
        if not shipment.duplicates and checksum != shipment.checksum:
            found.append(_difference(shipment, rows))
            if len(found) == SHOWN_FAULTS:
                break
    return found


def _difference(shipment: _Shipment, rows: Sequence[_Numbered]) -> str:
    """Names the batch, its file and, where one is gone, the first row that is not there."""
    shipped, held = shipment.receipts + shipment.events, {row.seq for row in rows}
    absent = (n for n in range(shipment.after_seq + 1, shipment.last_seq + 1) if n not in held)
    first = f", the first that is not: row {next(absent)}" if len(rows) < shipped else ""
    return (
        f"outbox {shipment.outbox_id}: rows {shipment.after_seq + 1} to {shipment.last_seq} are "
        f"not as they were shipped ({len(rows)} of {shipped} are there{first}), "
        f"from {shipment.path!r}"
    )


class _Rows:
    """The rows of one table in the order of outbox and number, read once and never all held."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, home: Path, relation: str, name: str
    ) -> None:
        # A cursor has temporary views and variables of its own.
        cursor = con.cursor()
        _name_what_is_kept(cursor, home, relation)
        self._rows = _numbered(cursor, name)
        self._next = next(self._rows, None)

    def take(self, shipment: _Shipment) -> list[_Numbered]:
        """The rows of a shipment; rows before it belong to none and are passed."""
        first = (shipment.outbox_id, shipment.after_seq)
        last = (shipment.outbox_id, shipment.last_seq)
        rows = []
        while self._next is not None and self._next[:2] <= last:
            if self._next[:2] > first:
                rows.append(self._next)
            self._next = next(self._rows, None)
        return rows


def _name_what_is_kept(con: duckdb.DuckDBPyConnection, home: Path, relation: str) -> None:
    sql = load("verify/sums")
    found = con.execute(sql["archived_files"], {"relation": relation}).fetchall()
    if not found:
        con.execute(sql[f"kept_{relation}"])
        return
    paths = [str(home / path) for (path,) in found]
    con.execute(sql[f"name_archived_{relation}"], {"paths": paths})
    con.execute(sql[f"kept_{relation}_with_archive"])


def _numbered(con: duckdb.DuckDBPyConnection, name: str) -> Iterator[_Numbered]:
    found = con.execute(load("verify/sums")[name])
    while rows := found.fetchmany(_FETCH_ROWS):
        for outbox_id, seq, *record in rows:
            yield _Numbered(outbox_id, seq, row_crc(seq, tuple(record)))
