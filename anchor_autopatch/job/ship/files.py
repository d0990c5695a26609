"""Ships outbox files, many at a time, and puts away those whose writer is gone."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from anchor_autopatch.core.crash_points import reached
from anchor_autopatch.core.destinations import QuarantinedFile
from anchor_autopatch.core.high_water import read_mark
from anchor_autopatch.job.ship.outbox_reader import (
    BusyOutbox,
    DamagedOutbox,
    EmptyOutbox,
    NewerOutbox,
    OutboxReader,
    writer_gone,
)
from anchor_autopatch.job.ship.quarantine import move_to_quarantine, quarantine_place, remove_outbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from anchor_autopatch.core.destinations import (
        Batch,
        Exporter,
        Loss,
        OutboxIdentity,
        Watermark,
    )
    from anchor_autopatch.job.ship.report import ShipReport

_GROUP_FILES = 64
"""Outbox files that are open together; each takes four of the 1,024 usual descriptors."""
_COMMIT_ROWS = 245_760
"""Rows that are committed together, where there are so many: two whole row groups of DuckDB, which
it writes once, into the file itself; what is left of a group goes through the log first."""


@dataclass(slots=True)
class _Opened:
    """An outbox file that is being shipped."""

    path: Path
    gone: bool
    """Its writer is gone, and cannot come back while we hold its lock."""
    reader: OutboxReader
    rows: int = 0
    """Read soundly, whether the destination had them or not."""
    losses: list[Loss] = field(default_factory=list)
    rotten: bool = False
    """Corrupt rows were found, in this run or in an earlier one."""
    unread: bool = False
    """Reading broke off; the rest is for the next run."""


class FileShipper:
    """One run: its destination, its instant, and what was found so far."""

    def __init__(self, exporter: Exporter, now_us: int, report: ShipReport) -> None:
        self._exporter = exporter
        self._now_us = now_us
        self._report = report

    def ship_files(self, paths: Sequence[Path]) -> None:
        """Ships outbox files; the caller holds the lease of their home."""
        self._report.outboxes += len(paths)
        for first in range(0, len(paths), _GROUP_FILES):
            self._ship_group(paths[first : first + _GROUP_FILES])

    def _ship_group(self, paths: Iterable[Path]) -> None:
        # Together, because a commit costs more than the few rows of a short-lived process.
        with ExitStack() as stack:
            opened = [found for path in paths if (found := self._open(path, stack)) is not None]
            if opened:
                reached("ship.opened")
                self._ship_rows(opened)
                self._put_away(opened)

    def _open(self, path: Path, stack: ExitStack) -> _Opened | None:
        try:
            gone = stack.enter_context(writer_gone(path))
        except OSError as error:
            self._find(f"{str(path)!r} was left alone, its lock cannot be taken: {error.strerror}")
            return None
        self._report.live += not gone
        try:
            return _Opened(path, gone, stack.enter_context(OutboxReader(path)))
        except DamagedOutbox as found:
            if gone and isinstance(found, EmptyOutbox) and _nothing_acknowledged(path):
                # Its writer was killed while it made the file.
                remove_outbox(path)
            elif gone:
                self._set_aside(path, str(found), None, 0)
            elif not isinstance(found, EmptyOutbox):
                # Empty and live: its process is just making it.
                self._find(f"{str(path)!r} is damaged while its process runs: {found}")
        except (BusyOutbox, NewerOutbox) as found:
            self._find(f"{str(path)!r} was left alone: {found}")
        return None

    def _ship_rows(self, opened: list[_Opened]) -> None:
        watermarks = self._exporter.watermarks([file.reader.outbox for file in opened])
        batches = chain.from_iterable(map(self._batches, opened, watermarks))
        for first in batches:
            together = _up_to(_COMMIT_ROWS, chain((first,), batches))
            for written in self._exporter.write(together, self._now_us):
                self._report.receipts += written.receipts
                self._report.events += written.events
                self._report.duplicates += written.duplicates
        for file in opened:
            for loss in file.losses:
                self._report.add_loss(file.path, loss)

    def _batches(self, file: _Opened, shipped: Watermark) -> Iterator[Batch]:
        outbox = file.reader.outbox
        file.rotten = shipped.rotten
        if shipped.seq == 0 and outbox.rows_dropped:
            self._find(
                f"{outbox.rows_dropped} rows were lost in the memory of {outbox.program!r} "
                f"before it could write: {outbox.opened_after}"
            )
        try:
            for batch in file.reader.batches(shipped):
                file.rows += len(batch.receipts) + len(batch.events)
                file.losses.extend(batch.losses)
                file.rotten |= any(loss.reason != "missing" for loss in batch.losses)
                reached("ship.read")
                yield batch
        except BusyOutbox as found:
            file.unread = True
            self._find(f"{str(file.path)!r} was not read to its end: {found}")

    def _put_away(self, opened: list[_Opened]) -> None:
        finished = []
        for file in opened:
            if not file.gone or file.unread:
                continue
            if file.rotten:
                self._set_aside(file.path, "it has corrupt rows", file.reader.outbox, file.rows)
            else:
                finished.append(file)
        if finished:
            outboxes = [file.reader.outbox for file in finished]
            self._exporter.finish(outboxes, "finished", self._now_us)
            reached("ship.finished")
        for file in finished:
            try:
                remove_outbox(file.path)
            except OSError as error:
                self._find(f"{str(file.path)!r} is shipped, but stays: {error.strerror}")

    def _set_aside(
        self, path: Path, reason: str, outbox: OutboxIdentity | None, salvaged: int
    ) -> None:
        place = quarantine_place(path)
        found = QuarantinedFile(
            path=str(path),
            moved_to=str(place),
            reason=reason,
            outbox_id=outbox.outbox_id if outbox else None,
            salvaged=salvaged,
        )
        # Noted first: a file in quarantine that nobody wrote down would never be looked at.
        self._exporter.note_quarantine(found, self._now_us)
        if outbox:
            self._exporter.finish([outbox], "quarantined", self._now_us)
        reached("quarantine.noted")
        try:
            move_to_quarantine(path, place)
        except OSError as error:
            self._find(f"{str(path)!r} ({reason}) cannot be set aside: {error.strerror}")
            return
        self._report.quarantined.append(found)
        self._find(f"{str(path)!r} is no sound outbox: {reason}; moved to {str(place)!r}")

    def _find(self, finding: str) -> None:
        self._report.findings.append(finding)


def _nothing_acknowledged(path: Path) -> bool:
    return read_mark(path.with_suffix(".lock")) == 0


def _up_to(rows: int, batches: Iterable[Batch]) -> Iterator[Batch]:
    """Batches until they hold that many rows; takes none that it does not yield."""
    for batch in batches:
        yield batch
        rows -= len(batch.receipts) + len(batch.events)
        if rows <= 0:
            return
