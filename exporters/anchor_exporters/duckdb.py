"""The default destination: the job's own warehouse, one DuckDB file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import duckdb

from anchor_autopatch.core.crash_points import reached
from anchor_autopatch.core.destinations import Watermark, Written
from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.core.outbox_format import ROW_FORMAT
from anchor_autopatch.core.sql_files import read_statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from anchor_autopatch.core.destinations import Batch, OutboxIdentity, QuarantinedFile, Row

_SQL = read_statements("anchor_exporters", "duckdb")
_STAGE_ROWS = 20_000
"""Rows in the temporary tables at once; a transaction may be many times that."""
# Places in a staged row, whose first place is the number of its batch.
_ID = 2
_INSTANT = 3


class DuckDBExporter:
    """Ships into an open warehouse; one transaction per `write`."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con

    def watermarks(self, outboxes: Sequence[OutboxIdentity]) -> list[Watermark]:
        """How far each outbox was shipped, in order; `Watermark()` for one never seen."""
        found = self._con.execute(_SQL["watermarks"], _keys(outboxes)).fetchall()
        shipped = {place: Watermark(*known) for place, *known in found}
        return [shipped.get(place, Watermark()) for place in range(len(outboxes))]

    def write(self, batches: Iterable[Batch], now_us: int) -> list[Written]:
        """Commits rows, losses and watermarks of all batches together, or nothing of them.

        Many rows in one transaction go straight into the file; a commit per 20,000 rows, each
        through the WAL, took a third more CPU than one per 200,000.
        """
        try:
            with self._transaction():
                chunks = _chunks(batches)
                return [written for chunk in chunks for written in self._write(chunk, now_us)]
        except duckdb.Error as error:
            reason = str(error).strip().partition("\n")[0]
            raise StoreError(f"Cannot write to the warehouse, nothing shipped: {reason}") from error

    def finish(self, outboxes: Sequence[OutboxIdentity], state: str, now_us: int) -> None:
        """Notes that the files are gone: `finished` (removed) or `quarantined`."""
        gone = {**_keys(outboxes), "state": state, "now_us": now_us}
        self._con.execute(_SQL["finish_outboxes"], gone)

    def note_quarantine(self, found: QuarantinedFile, now_us: int) -> None:
        """Keeps the record of a file that is about to be set aside; once, if told again."""
        row = {**found._asdict(), "now_us": now_us}
        with self._transaction():
            # No two files go to one place: the same record is one of a run that was killed.
            self._con.execute(_SQL["forget_quarantined_file"], {"moved_to": found.moved_to})
            self._con.execute(_SQL["insert_quarantined_file"], row)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._con.begin()
        try:
            yield
            reached("ship.inserted")
        except BaseException:
            self._con.rollback()
            raise
        self._con.commit()
        reached("ship.committed")

    def _write(self, batches: list[Batch], now_us: int) -> list[Written]:
        now = {"now_us": now_us}
        self._stage("batch", map(_batch_row, range(len(batches)), batches))
        self._stage(
            "loss", [(place, *loss) for place, batch in enumerate(batches) for loss in batch.losses]
        )
        self._stage_new("receipt", [batch.receipts for batch in batches])
        self._stage_new("event", [batch.events for batch in batches])
        reached("ship.staged")
        counted = self._con.execute(_SQL["written"]).fetchall()
        self._con.execute(_SQL["insert_receipts"], now)
        self._con.execute(_SQL["insert_events"], now)
        self._con.execute(_SQL["upsert_outboxes"], now)
        self._con.execute(_SQL["insert_losses"], now)
        places, receipts, events = map(list, zip(*counted, strict=True))
        counts = {"batch_nos": places, "receipts": receipts, "events": events}
        self._con.execute(_SQL["insert_shipments"], {**now, **counts, "row_format": ROW_FORMAT})
        return [
            Written(receipts, events, _row_count(batches[place]) - receipts - events)
            for place, receipts, events in counted
        ]

    def _stage_new(self, kind: str, batches: list[list[Row]]) -> None:
        """Stages the rows of all batches that neither the warehouse nor an earlier batch has."""
        rows = _distinct([(place, *row) for place, batch in enumerate(batches) for row in batch])
        self._stage(kind, rows)
        if rows:
            instants = [cast("int", row[_INSTANT]) for row in rows]
            window = {"first_us": min(instants), "last_us": max(instants)}
            self._con.execute(_SQL[f"drop_known_{kind}s"], window)

    def _stage(self, kind: str, rows: Iterable[Row]) -> None:
        self._con.execute(_SQL[f"create_{kind}_stage"])
        with self._con.appender(f"{kind}_stage") as appender:
            appender.append_rows(rows)


def _chunks(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    chunk: list[Batch] = []
    rows = 0
    for batch in batches:
        chunk.append(batch)
        rows += _row_count(batch)
        if rows >= _STAGE_ROWS:
            yield chunk
            chunk, rows = [], 0
    if chunk:
        yield chunk


def _row_count(batch: Batch) -> int:
    return len(batch.receipts) + len(batch.events)


def _batch_row(place: int, batch: Batch) -> Row:
    lost = {"missing": 0, "corrupt": 0, "refused": 0}
    for loss in batch.losses:
        lost[loss.reason] += loss.last_seq - loss.first_seq + 1
    return (
        place,
        *batch.outbox,
        batch.before.seq,
        batch.after.seq,
        batch.after.crc,
        _row_count(batch),
        lost["corrupt"] + lost["refused"],
        lost["missing"],
        batch.checksum,
    )


def _distinct(rows: list[Row]) -> list[Row]:
    """The first row of each id; the warehouse is only asked for what was there before."""
    if len({row[_ID] for row in rows}) == len(rows):
        return rows
    return list({row[_ID]: row for row in reversed(rows)}.values())


def _keys(outboxes: Sequence[OutboxIdentity]) -> dict[str, object]:
    return {
        "outbox_ids": [outbox.outbox_id for outbox in outboxes],
        "paths": [outbox.path for outbox in outboxes],
    }
