"""The border between the shipper and a destination of receipts: batches, what became of them.

A destination is any object with the methods of `Exporter`, found by entry point
`anchor_autopatch.exporters`; the shipper knows nothing else about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anchor_autopatch.core.records import ExceptionEvent, Receipt

ENTRY_POINTS = "anchor_autopatch.exporters"

Row = tuple[object, ...]
"""One outbox row: seq, the fields of the record in order, crc."""


def integer_fields(record: type[Receipt | ExceptionEvent]) -> tuple[str, ...]:
    """The fields of a record that hold integers; all others hold text."""
    hints = get_type_hints(record)
    return tuple(name for name in record._fields if hints[name] in (int, int | None))


class OutboxIdentity(NamedTuple):
    """What an outbox file says about its writer; all but the first two as the writer wrote it."""

    outbox_id: str
    path: str
    """Part of the key: two clones of one file may go on with different rows."""
    home: str | None = None
    """ANCHOR_HOME of the writer; another one than the file's when it could not write there."""
    host: str | None = None
    pid: int | None = None
    process_started_us: int | None = None
    """Microseconds since 1970-01-01 UTC, like every `_us`."""
    created_at_us: int | None = None
    python_version: str | None = None
    anchor_version: str | None = None
    program: str | None = None
    rows_dropped: int = 0
    """Rows that the same process lost from memory before it could open this file."""
    opened_after: str | None = None
    """The write error that made the process open this file."""


class Watermark(NamedTuple):
    """How far an outbox was shipped: its last row that is behind us."""

    seq: int = 0
    crc: int | None = None
    """Checksum of that row; another row there now means a restored or cloned file."""
    rotten: bool = False
    """Whether rows up to there were found corrupt: the file is evidence, and is kept."""


class Loss(NamedTuple):
    """Numbers of a writer, first to last inclusive, whose rows cannot be had."""

    first_seq: int
    last_seq: int
    reason: str
    """missing | corrupt | refused."""


class Batch(NamedTuple):
    """Rows of one outbox in the half-open range (before.seq, after.seq]."""

    outbox: OutboxIdentity
    before: Watermark
    after: Watermark
    receipts: list[Row]
    events: list[Row]
    losses: tuple[Loss, ...]
    checksum: str
    """SHA-256 (hex) over the row checksums, 4 bytes big-endian: receipts by seq, then events.

    The checksums are those of the rows as they are here, in the columns of this version.
    """


class Written(NamedTuple):
    """What a destination did with a batch: rows it took, rows it had already."""

    receipts: int
    events: int
    duplicates: int


class QuarantinedFile(NamedTuple):
    """A damaged or foreign file that was moved out of the outbox folder."""

    path: str
    moved_to: str
    reason: str
    outbox_id: str | None
    salvaged: int
    """Rows that were read from it all the same."""


class Exporter(Protocol):
    """Where receipts go; `write` is all or nothing, so that a killed shipper loses nothing."""

    def watermarks(self, outboxes: Sequence[OutboxIdentity]) -> list[Watermark]:
        """How far each outbox was shipped, in order; `Watermark()` for one never seen."""
        ...

    def write(self, batches: Iterable[Batch], now_us: int) -> list[Written]:
        """Commits rows, losses and watermarks of all batches together, or nothing of them.

        Rows that the destination has already are left out. The batches are read while they are
        written: no more of them are in memory than the destination holds.
        """
        ...

    def finish(self, outboxes: Sequence[OutboxIdentity], state: str, now_us: int) -> None:
        """Notes that the files are gone: `finished` (removed) or `quarantined`."""

    def note_quarantine(self, found: QuarantinedFile, now_us: int) -> None:
        """Keeps the record of a file that was set aside."""
