"""Takes in what happened: failures and successes, from live outboxes or from the warehouse.

Both ways lead to the same counts: an event is known by its id, a success by its number in its
outbox. So a side-car and a cron job, or either alone, may look at the same calls.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.destinations import Watermark
from anchor_autopatch.core.records import ExceptionEvent, Receipt
from anchor_autopatch.job.incidents.grouping import slot_of
from anchor_autopatch.job.ship.outbox_reader import (
    BusyOutbox,
    DamagedOutbox,
    NewerOutbox,
    OutboxReader,
    outbox_files,
)
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from duckdb import DuckDBPyConnection

    from anchor_autopatch.core.destinations import Row
    from anchor_autopatch.job.incidents.store import Store

_WAREHOUSE = "warehouse"
"""In place of an outbox: how far the warehouse was read, by `shipped_at` in microseconds."""
# Place 0 of a row is its number.
_OUTCOME = 1 + Receipt._fields.index("outcome")
_PROVIDER = 1 + Receipt._fields.index("provider")
_MODEL = 1 + Receipt._fields.index("request_model")
_OCCURRED = 1 + Receipt._fields.index("occurred_at_us")


Signatures = dict[Path, tuple[int, ...]]
"""Outbox file -> sizes and times of it and of its log: equal means that nothing was written."""


class Success(NamedTuple):
    """Calls of one model that went well in one slot."""

    provider: str
    model: str
    slot_us: int
    calls: int
    last_us: int


class Intake(NamedTuple):
    """What is new since the last look; events may repeat, successes never do."""

    events: list[ExceptionEvent]
    successes: list[Success]
    marks: dict[str, Watermark]
    """Outbox -> how far it was read."""


def from_outboxes(store: Store, homes: Sequence[Path], read: Signatures) -> Intake:
    """Reads the outboxes themselves, without touching them, since where `store` says.

    Files that are as `read` has them are left out, and `read` is brought up to date.

    A file that is damaged, busy or newer than this version is left to the shipper, which tells.
    """
    events: list[ExceptionEvent] = []
    receipts: list[Row] = []
    marks: dict[str, Watermark] = {}
    for path in (path for home in homes for path in outbox_files(home)):
        before = read.pop(path, None)
        try:
            # Taken first: what is written while it is read is for the next time.
            now = _signature(path)
            if now == before:
                read[path] = now
                continue
            with OutboxReader(path) as reader:
                known = store.mark(reader.outbox.outbox_id)
                for batch in reader.batches(known):
                    # A restored file is read from its beginning; successes count once all the same.
                    receipts += (row for row in batch.receipts if _seq(row) > known.seq)
                    # Places 0 and -1 are the number and the checksum.
                    events += (ExceptionEvent._make(row[1:-1]) for row in batch.events)
                    marks[batch.outbox.outbox_id] = batch.after
            read[path] = now
        except (DamagedOutbox, BusyOutbox, NewerOutbox, FileNotFoundError):
            continue
    return Intake(events, _successes(receipts), marks)


def from_warehouse(store: Store, con: DuckDBPyConnection) -> Intake:
    """Reads what was shipped since the last look, beyond what was read from outboxes already."""
    sql = load("incidents")
    known = store.marks()
    # Of the same instant again: rows of it may have come later. Events are known by their ids.
    asked = {"since_us": known.get(_WAREHOUSE, 0)}
    events = [
        ExceptionEvent._make(row) for row in con.execute(sql["shipped_events"], asked).fetchall()
    ]
    given = {"outbox_id": list(known), "seq": list(known.values()), **asked}
    successes = [Success(*row) for row in con.execute(sql["shipped_successes"], given).fetchall()]
    marks = {
        outbox_id: Watermark(seq)
        for outbox_id, seq in con.execute(sql["shipped_marks"], asked).fetchall()
    }
    return Intake(events, successes, marks)


def _seq(row: Row) -> int:
    return int(str(row[0]))


def _signature(path: Path) -> tuple[int, ...]:
    log = path.with_name(f"{path.name}-wal")
    files = [path.stat(), *([log.stat()] if log.exists() else [])]
    return tuple(value for each in files for value in (each.st_ino, each.st_size, each.st_mtime_ns))


def _successes(rows: Iterable[Row]) -> list[Success]:
    calls: Counter[tuple[str, str, int]] = Counter()
    last: dict[tuple[str, str, int], int] = {}
    for row in rows:
        if row[_OUTCOME] != "ok":
            continue
        at_us = int(str(row[_OCCURRED]))
        key = (str(row[_PROVIDER]), str(row[_MODEL] or ""), slot_of(at_us))
        calls[key] += 1
        last[key] = max(last.get(key, 0), at_us)
    return [Success(*key, count, last[key]) for key, count in calls.items()]
