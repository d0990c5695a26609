"""The default destination: the job's own warehouse, one DuckDB file."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, cast

import duckdb

from anchor_autopatch.core.crash_points import reached
from anchor_autopatch.core.destinations import Watermark, Written
from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.core.outbox_format import ROW_FORMAT
from anchor_autopatch.core.sql_files import read_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from anchor_autopatch.core.destinations import Batch, OutboxIdentity, QuarantinedFile, Row

_SQL = read_statements("anchor_exporters", "duckdb")
_STAGE_ROWS = 61_440
"""Rows in the temporary tables at once, some 60 MB; a transaction may be several times that."""
_GAP_US = 3_600 * 1_000_000
"""Instants so near to each other are looked for in the warehouse in one go."""
_ids = itemgetter(1)
_instants = cast("Callable[[Row], int]", itemgetter(2))


@dataclass(slots=True)
class _Stage:
    """What lies in the temporary tables: batches without their rows, and where those begin and end.

    A staged row is the outbox row itself. Its batch is told by its place, since naming it in each
    row took a new tuple and one more value for every receipt there is.
    """

    batches: list[Batch] = field(default_factory=list)
    places: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Of each batch: first receipt, end of its receipts, first event, end of its events."""
    read: list[int] = field(default_factory=list)
    """Rows that each batch brought, those included that another one had brought before."""
    receipts: int = 0
    events: list[Row] = field(default_factory=list)
    """Few beside receipts: kept until the appender of receipts is through."""
    ids: dict[str, set[object]] = field(default_factory=lambda: {"receipt": set(), "event": set()})
    windows: dict[str, list[tuple[int, int]]] = field(
        default_factory=lambda: {"receipt": [], "event": []}
    )
    """First and last instant of each batch's rows, in microseconds."""

    def new(self, kind: str, rows: list[Row]) -> list[Row]:
        """Those rows that no earlier one in the stage has the id of."""
        if not rows:
            return rows
        known, found = self.ids[kind], set(map(_ids, rows))
        if len(found) < len(rows) or not known.isdisjoint(found):
            first = {_ids(row): row for row in reversed(rows)}
            rows = [row for row in first.values() if _ids(row) not in known][::-1]
        known |= found
        if rows:
            instants = tuple(map(_instants, rows))
            self.windows[kind].append((min(instants), max(instants)))
        return rows

    def add(self, batch: Batch, receipts: int, events: list[Row]) -> None:
        """Notes a batch whose new receipts, so many, have been staged."""
        ends = self.receipts + receipts, len(self.events) + len(events)
        self.places.append((self.receipts, ends[0], len(self.events), ends[1]))
        self.batches.append(batch._replace(receipts=[], events=[]))
        self.read.append(len(batch.receipts) + len(batch.events))
        self.receipts = ends[0]
        self.events += events

    def batch_rows(self) -> Iterator[Row]:
        """The rows of the table batch_stage."""
        for place, batch in enumerate(self.batches):
            yield _batch_row(place, batch, self.read[place], self.places[place])

    def written(self) -> list[tuple[int, int]]:
        """Receipts and events of each batch, where the warehouse had none of them."""
        return [(end - first, end_event - event) for first, end, event, end_event in self.places]


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
                rest, written = iter(batches), []
                while (stage := self._fill(rest)).batches:
                    written += self._write(stage, now_us)
                return written
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
        # Ctrl-C too: the connection is the caller's, who must not find half a shipment open in it.
        except BaseException:
            self._con.rollback()
            raise
        self._con.commit()
        reached("ship.committed")

    def _fill(self, batches: Iterator[Batch]) -> _Stage:
        """Stages the next batches, as many as fit; empty at their end."""
        stage = _Stage()
        for kind in ("batch", "loss", "receipt", "event"):
            self._con.execute(_SQL[f"create_{kind}_stage"])
        # 100,000 rows a second, where executemany takes 1,000 (DuckDB 2.0).
        with self._con.appender("receipt_stage") as appender:
            for batch in batches:
                receipts = stage.new("receipt", batch.receipts)
                # At once, while the rows are in the processor's cache.
                appender.append_rows(receipts)
                stage.add(batch, len(receipts), stage.new("event", batch.events))
                if stage.receipts + len(stage.events) >= _STAGE_ROWS:
                    break
        losses = [(place, *loss) for place, b in enumerate(stage.batches) for loss in b.losses]
        self._append("event_stage", stage.events)
        self._append("batch_stage", stage.batch_rows())
        self._append("loss_stage", losses)
        self._con.execute(_SQL["place_batches"])
        reached("ship.staged")
        return stage

    def _append(self, table: str, rows: Iterable[Row]) -> None:
        with self._con.appender(table) as appender:
            appender.append_rows(rows)

    def _write(self, stage: _Stage, now_us: int) -> list[Written]:
        now = {"now_us": now_us}
        known = sum(self._drop_known(kind, stage.windows[kind]) for kind in ("receipt", "event"))
        # Nothing was dropped in almost every run: then the stage knows its counts without a query.
        counted = self._con.execute(_SQL["written"]).fetchall() if known else stage.written()
        self._con.execute(_SQL["insert_receipts"], now)
        self._con.execute(_SQL["insert_events"], now)
        self._con.execute(_SQL["upsert_outboxes"], now)
        self._con.execute(_SQL["insert_losses"], now)
        receipts, events = map(list, zip(*counted, strict=True))
        counts = {
            "batch_nos": list(range(len(counted))),
            "receipts": receipts,
            "events": events,
            "row_format": ROW_FORMAT,
        }
        self._con.execute(_SQL["insert_shipments"], {**now, **counts})
        return [
            Written(receipts, events, read - receipts - events)
            for (receipts, events), read in zip(counted, stage.read, strict=True)
        ]

    def _drop_known(self, kind: str, windows: list[tuple[int, int]]) -> int:
        """Takes out of the stage what the warehouse has or had; returns how many that were.

        A copy has the instant of its original, so only those stretches of time are read that the
        stage has rows in: what is shipped costs the same whatever was shipped before.
        """
        dropped = 0
        for first, last in _merged(windows):
            window = {"first_us": first, "last_us": last}
            found = self._con.execute(_SQL[f"drop_known_{kind}s"], window).fetchall()
            dropped += int(found[0][0])
        return dropped


def _merged(windows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Windows of time without those that another one covers or nearly touches, in order."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(windows):
        if merged and first - merged[-1][1] <= _GAP_US:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _batch_row(place: int, batch: Batch, read: int, places: tuple[int, int, int, int]) -> Row:
    lost = {"missing": 0, "corrupt": 0, "refused": 0}
    for loss in batch.losses:
        lost[loss.reason] += loss.last_seq - loss.first_seq + 1
    return (
        place,
        *batch.outbox,
        batch.before.seq,
        batch.after.seq,
        batch.after.crc,
        read,
        lost["corrupt"] + lost["refused"],
        lost["missing"],
        batch.checksum,
        *places,
    )


def _keys(outboxes: Sequence[OutboxIdentity]) -> dict[str, object]:
    return {
        "outbox_ids": [outbox.outbox_id for outbox in outboxes],
        "paths": [outbox.path for outbox in outboxes],
    }
