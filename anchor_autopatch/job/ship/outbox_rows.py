"""Tells good outbox rows from bad ones and finds the numbers that no row carries; pure."""

from __future__ import annotations

from hashlib import sha256
from itertools import chain
from operator import itemgetter
from struct import pack
from typing import TYPE_CHECKING, NamedTuple, cast

from anchor_autopatch.core.destinations import Batch, Loss, Row, Watermark, integer_fields
from anchor_autopatch.core.outbox_format import intact
from anchor_autopatch.core.records import ExceptionEvent, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from anchor_autopatch.core.destinations import OutboxIdentity
    from anchor_autopatch.job.ship.outbox_layout import Layout


class RowsRead(NamedTuple):
    """What was read of one outbox in one step, unchecked; each in the order of seq."""

    receipts: list[Row]
    events: list[Row]
    unreadable: Sequence[int]
    """Numbers at which SQLite itself reports damage."""
    receipt_layout: Layout
    event_layout: Layout


class _Checked(NamedTuple):
    good: list[Row]
    seqs: set[int]
    """Of the good rows."""
    last_crc: dict[int, int]
    """Of the last good row, by its seq: its checksum in the file. Empty without good rows."""
    corrupt: list[int]
    refused: list[int]


def check_rows(outbox: OutboxIdentity, before: Watermark, found: RowsRead) -> Batch:
    """The batch that ships: the rows with a right checksum, and every other number as a loss.

    The new watermark is the highest number that is accounted for. A rotten number far beyond the
    last good row moves nothing: it is no reason to call everything in between lost.
    """
    receipts = _check(found.receipts, _RECEIPT_RULES, found.receipt_layout)
    events = _check(found.events, _EVENT_RULES, found.event_layout)
    good = receipts.seqs | events.seqs
    refused = {*receipts.refused, *events.refused}
    corrupt = {*receipts.corrupt, *events.corrupt, *found.unreadable} - good
    top = max((before.seq, *receipts.last_crc, *events.last_crc, *refused))
    after = max((top, *(seq for seq in corrupt if seq <= top + len(corrupt))))
    known = good.union(refused, (seq for seq in corrupt if seq <= after))
    losses = (
        *_missing(before.seq, known),
        *_spans(corrupt, "corrupt"),
        *_spans(refused, "refused"),
    )
    return Batch(
        outbox=outbox,
        before=before,
        after=Watermark(after, (receipts.last_crc | events.last_crc).get(after)),
        receipts=receipts.good,
        events=events.good,
        losses=losses,
        checksum=batch_checksum(map(_crc, chain(receipts.good, events.good))),
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
    integers: tuple[itemgetter[object], ...]
    required: tuple[itemgetter[object], ...]


def _rules(record: type[Receipt | ExceptionEvent], *required: str) -> _Rules:
    # Place 0 of a row is seq.
    place = {name: number for number, name in enumerate(record._fields, start=1)}
    return _Rules(
        tuple(itemgetter(place[name]) for name in integer_fields(record)),
        tuple(itemgetter(place[name]) for name in required),
    )


_RECEIPT_RULES = _rules(Receipt, "receipt_id", "occurred_at_us", "provider", "billable")
_EVENT_RULES = _rules(
    ExceptionEvent, "event_id", "occurred_at_us", "event_class", "retried", "occurrences"
)


def _check(rows: list[Row], rules: _Rules, layout: Layout) -> _Checked:
    # Every receipt there is passes here: what is asked of each row is asked by column, in C.
    good = intact(rows)
    corrupt: list[int] = []
    refused: list[int] = []
    if len(good) < len(rows):
        sound = set(map(_seq, good))
        corrupt = [seq for seq in map(_seq, rows) if seq not in sound]
    crcs = good
    good = layout.in_todays_columns(good)
    if not _are_records(good, rules):
        refused = [_seq(row) for row in good if not _are_records([row], rules)]
        good = [row for row in good if _are_records([row], rules)]
        crcs = [row for row in crcs if _seq(row) not in refused]
    last_crc = {_seq(row): _crc(row) for row in crcs[-1:]}
    return _Checked(good, set(map(_seq, good)), last_crc, corrupt, refused)


def _are_records(rows: Sequence[Row], rules: _Rules) -> bool:
    """Whether all rows are records."""
    for field in rules.integers:
        # SQLite keeps a text that is no number as text, in an INTEGER column too.
        if not set(map(type, map(field, rows))) <= _INTEGER_OR_NULL:
            return False
    return not any(None in map(field, rows) for field in rules.required)


_INTEGER_OR_NULL = {int, type(None)}
_seq = cast("Callable[[Row], int]", itemgetter(0))
_crc = cast("Callable[[Row], int]", itemgetter(-1))


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
    numbers = tuple(crcs)
    return sha256(pack(f">{len(numbers)}I", *numbers)).hexdigest()
