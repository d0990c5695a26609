"""Outbox files that are still there: every row's checksum, and a sequence without a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.core.destinations import Watermark
from anchor_autopatch.job.ship.outbox_reader import (
    BusyOutbox,
    DamagedOutbox,
    EmptyOutbox,
    NewerOutbox,
    OutboxReader,
    outbox_files,
)
from anchor_autopatch.job.verify.link import Link

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def check_outboxes(homes: Sequence[Path]) -> Link:
    """Reads every outbox from its first row on; a live one as it is at this instant."""
    files = rows = 0
    faults: list[str] = []
    for path in (path for home in homes for path in outbox_files(home)):
        files += 1
        try:
            with OutboxReader(path) as reader:
                found, lost = _read(reader)
        except EmptyOutbox:
            # Normal for an instant while its process makes it; nothing was acknowledged in it.
            continue
        except (DamagedOutbox, BusyOutbox, NewerOutbox) as fault:
            faults.append(f"{str(path)!r} cannot be read: {fault}")
            continue
        rows += found
        faults.extend(f"{str(path)!r}, {loss}" for loss in lost)
    proven = f"{files} files, {rows} rows: every checksum is right, no number is missing"
    return Link("outboxes", proven, tuple(faults))


def _read(reader: OutboxReader) -> tuple[int, Iterable[str]]:
    rows, lost = 0, []
    for batch in reader.batches(Watermark()):
        rows += len(batch.receipts) + len(batch.events)
        lost += [f"rows {first} to {last}: {reason}" for first, last, reason in batch.losses]
    return rows, lost
