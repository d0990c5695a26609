"""Tells good outbox rows from bad ones and finds the numbers that no row carries; pure."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, cast

from anchor_autopatch.core.destinations import Batch, Loss, Row, Watermark, integer_fields
from anchor_autopatch.core.outbox_format import is_intact
from anchor_autopatch.core.records import ExceptionEvent, Receipt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from anchor_autopatch.core.destinations import OutboxIdentity
    from anchor_autopatch.job.ship.outbox_layout import Layout


class RowsRead(NamedTuple):
    """What was read of one outbox in one step, unchecked; each in the order of seq."""

    receipts: Sequence[Row]
    events: Sequence[Row]
    unreadable: Sequence[int]
    """Numbers at which SQLite itself reports damage."""
    receipt_layout: Layout
    event_layout: Layout


class _Checked(NamedTuple):
    good: list[Row]
    crcs: dict[int, int]
    """Of the good rows, by seq."""
    corrupt: list[int]
    refused: list[int]


def check_rows(outbox: OutboxIdentity, before: Watermark, found: RowsRead) -> Batch:
    """The batch that ships: the rows with a right checksum, and every other number as a loss.

    The new watermark is the highest number that is accounted for. A rotten number far beyond the
    last good row moves nothing: it is no reason to call everything in between lost.
    """
    receipts = _check(found.receipts, _RECEIPT_RULES, found.receipt_layout)
    events = _check(found.events, _EVENT_RULES, found.event_layout)
    crcs = receipts.crcs | events.crcs
    refused = {*receipts.refused, *events.refused}
    corrupt = {*receipts.corrupt, *events.corrupt, *found.unreadable} - crcs.keys()
    top = max((before.seq, *crcs, *refused))
    after = max((top, *(seq for seq in corrupt if seq <= top + len(corrupt))))
    known = {*crcs, *refused, *(seq for seq in corrupt if seq <= after)}
    losses = (
        *_missing(before.seq, known),
        *_spans(corrupt, "corrupt"),
        *_spans(refused, "refused"),
    )
    return Batch(
        outbox=outbox,
        before=before,
        after=Watermark(after, crcs.get(after)),
        receipts=receipts.good,
        events=events.good,
        losses=losses,
        checksum=batch_checksum(_crc(row) for row in (*receipts.good, *events.good)),
    )


def lost_end(outbox: OutboxIdentity, before: Watermark, acknowledged: int) -> Batch:
    """The batch that tells of rows which the writer acknowledged and the file no longer ends with.

    Corrupt, not missing: the file is evidence, and its log may still hold them in pieces.
    """
    return Batch(
        outbox=outbox,
        before=before,
        after=Watermark(acknowledged),
        receipts=[],
        events=[],
        losses=(Loss(before.seq + 1, acknowledged, "corrupt"),),
        checksum=batch_checksum(()),
    )


class _Rules(NamedTuple):
    integers: tuple[int, ...]
    required: tuple[int, ...]


def _rules(record: type[Receipt | ExceptionEvent], *required: str) -> _Rules:
    # Place 0 of a row is seq.
    place = {name: number for number, name in enumerate(record._fields, start=1)}
    return _Rules(
        tuple(place[name] for name in integer_fields(record)),
        tuple(place[name] for name in required),
    )


_RECEIPT_RULES = _rules(Receipt, "receipt_id", "occurred_at_us", "provider", "billable")
_EVENT_RULES = _rules(ExceptionEvent, "event_id", "occurred_at_us", "event_class", "retried")


def _check(rows: Sequence[Row], rules: _Rules, layout: Layout) -> _Checked:
    good = [row for row in rows if is_intact(row)]
    corrupt: list[int] = []
    refused: list[int] = []
    if len(good) < len(rows):
        intact = set(_seqs(good))
        corrupt = [seq for seq in _seqs(rows) if seq not in intact]
    crcs = {cast("int", row[0]): _crc(row) for row in good}
    good = layout.in_todays_columns(good)
    if not _are_records(good, rules):
        refused = _seqs([row for row in good if not _are_records([row], rules)])
        good = [row for row in good if _are_records([row], rules)]
        crcs = {seq: crc for seq, crc in crcs.items() if seq not in refused}
    return _Checked(good, crcs, corrupt, refused)


def _are_records(rows: Sequence[Row], rules: _Rules) -> bool:
    """Whether all rows are records, asked by column because it is asked of every row."""
    for place in rules.integers:
        # SQLite keeps a text that is no number as text, in an INTEGER column too.
        if not {type(row[place]) for row in rows} <= _INTEGER_OR_NULL:
            return False
    return not any(None in [row[place] for row in rows] for place in rules.required)


_INTEGER_OR_NULL = {int, type(None)}


def _crc(row: Row) -> int:
    return cast("int", row[-1])


def _seqs(rows: Iterable[Row]) -> list[int]:
    return cast("list[int]", [row[0] for row in rows])


def _missing(before: int, known: Collection[int]) -> Iterator[Loss]:
    expected = before + 1
    # The usual case, without sorting: as many numbers as the range is wide.
    if not known or len(known) == max(known) - before:
        return
    for seq in sorted(known):
        if seq > expected:
            yield Loss(expected, seq - 1, "missing")
        expected = seq + 1


def _spans(numbers: Collection[int], reason: str) -> Iterator[Loss]:
    ordered = sorted(numbers)
    starts = [seq for seq in ordered if seq - 1 not in numbers]
    ends = [seq for seq in ordered if seq + 1 not in numbers]
    return (Loss(first, last, reason) for first, last in zip(starts, ends, strict=True))


def batch_checksum(crcs: Iterable[int]) -> str:
    """SHA-256 (hex) over row checksums, 4 bytes big-endian each: receipts by seq, then events."""
    return sha256(b"".join(crc.to_bytes(4, "big") for crc in crcs)).hexdigest()
