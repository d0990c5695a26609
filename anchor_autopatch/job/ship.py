"""Moves rows from outboxes to a destination, with the effect of exactly once.

Rows, losses and the new watermark are committed together; a row that the destination has already
is left out. So a shipper may be killed at any step: what was committed is not taken again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import entry_points
from itertools import islice
from typing import TYPE_CHECKING

from anchor_autopatch.core.destinations import ENTRY_POINTS, QuarantinedFile
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.settings import OUTBOX_FOLDER
from anchor_autopatch.job.clock import to_micros
from anchor_autopatch.job.lease import SHIPPER_LOCK, lease
from anchor_autopatch.job.outbox_reader import (
    BusyOutbox,
    DamagedOutbox,
    EmptyOutbox,
    NewerOutbox,
    OutboxReader,
    outbox_files,
    writer_gone,
)
from anchor_autopatch.job.quarantine import (
    move_to_quarantine,
    quarantine_place,
    remove_outbox,
    remove_strays,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from anchor_autopatch.core.destinations import Batch, Exporter, Loss, OutboxIdentity


_COMMIT_BATCHES = 10
"""Batches of one outbox that are committed together."""


@dataclass(slots=True)
class ShipReport:
    """What one run moved; counts of rows unless said otherwise."""

    outboxes: int = 0
    """Files seen."""
    live: int = 0
    """Files whose writer still runs."""
    receipts: int = 0
    events: int = 0
    duplicates: int = 0
    """Rows that the destination had already."""
    missing: int = 0
    corrupt: int = 0
    """Rows with a wrong checksum, or that are no valid record."""
    quarantined: list[QuarantinedFile] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    """One line per thing that a person should look at, quarantined files included."""
    busy: list[str] = field(default_factory=list)
    """Homes that another shipper was working on."""


def ship(con: DuckDBPyConnection, homes: Iterable[Path], now: datetime) -> ShipReport:
    """Ships every outbox of the homes into the open warehouse; twice is the same as once."""
    return ship_to(find_exporter("duckdb")(con), homes, now)


def ship_to(exporter: Exporter, homes: Iterable[Path], now: datetime) -> ShipReport:
    """Ships every outbox of the homes to a destination."""
    report = ShipReport()
    run = _Run(exporter, to_micros(now), report)
    for home in homes:
        folder = home / OUTBOX_FOLDER
        if not folder.is_dir():
            continue
        try:
            with lease(folder / SHIPPER_LOCK) as mine:
                if mine:
                    run.ship_home(home)
                else:
                    report.busy.append(str(home))
        except OSError as error:
            report.findings.append(
                f"Cannot work in {str(folder)!r}: {error.strerror}; check its owner"
            )
    return report


def find_exporter(name: str) -> Callable[[object], Exporter]:
    """The destination of this name, from the entry points of what is installed.

    Raises:
        ConfigError: nothing installed offers it.
    """
    found = entry_points(group=ENTRY_POINTS)
    if name not in found.names:
        known = ", ".join(sorted(found.names)) or "none"
        raise ConfigError(f"Unknown destination {name!r}; installed: {known}")
    exporter: Callable[[object], Exporter] = found[name].load()
    return exporter


class _Run:
    """One run over the homes: the destination, the instant, and what was found so far."""

    def __init__(self, exporter: Exporter, now_us: int, report: ShipReport) -> None:
        self._exporter = exporter
        self._now_us = now_us
        self._report = report

    def ship_home(self, home: Path) -> None:
        """Ships the files of one home; the caller holds its lease."""
        for path in outbox_files(home):
            self._report.outboxes += 1
            with writer_gone(path) as gone:
                self._report.live += not gone
                self._ship_file(path, gone=gone)
        remove_strays(home / OUTBOX_FOLDER, self._now_us)

    def _ship_file(self, path: Path, *, gone: bool) -> None:
        try:
            with OutboxReader(path) as reader:
                rows, damaged = self._ship_rows(reader)
        except DamagedOutbox as found:
            if gone:
                self._set_aside(path, str(found), None, 0)
            elif not isinstance(found, EmptyOutbox):
                # Empty and live: its process is just making it.
                self._find(f"{str(path)!r} is damaged while its process runs: {found}")
        except (BusyOutbox, NewerOutbox) as found:
            self._find(f"{str(path)!r} was left alone: {found}")
        else:
            if damaged and gone:
                self._set_aside(path, "it has corrupt rows", reader.outbox, rows)
            elif gone:
                self._exporter.finish(reader.outbox, "finished", self._now_us)
                remove_outbox(path)

    def _ship_rows(self, reader: OutboxReader) -> tuple[int, bool]:
        """Ships what is new; returns all rows that were readable and whether any was not."""
        shipped = self._exporter.watermark(reader.outbox)
        if shipped.seq == 0 and reader.outbox.rows_dropped:
            self._find(
                f"{reader.outbox.rows_dropped} rows were lost in the memory of "
                f"{reader.outbox.program!r} before it could write: {reader.outbox.opened_after}"
            )
        rows = 0
        losses: list[Loss] = []

        def noted() -> Iterator[Batch]:
            for batch in islice(batches, _COMMIT_BATCHES):
                losses.extend(batch.losses)
                yield batch

        batches = reader.batches(shipped)
        while written := self._exporter.write(noted(), self._now_us):
            for part in written:
                rows += part.receipts + part.events + part.duplicates
                self._report.receipts += part.receipts
                self._report.events += part.events
                self._report.duplicates += part.duplicates
        for loss in losses:
            self._count_loss(reader.outbox.path, loss)
        return rows, any(loss.reason != "missing" for loss in losses)

    def _count_loss(self, path: str, loss: Loss) -> None:
        count = loss.last_seq - loss.first_seq + 1
        if loss.reason == "missing":
            self._report.missing += count
        else:
            self._report.corrupt += count
        self._find(f"{path!r}: rows {loss.first_seq} to {loss.last_seq} are {loss.reason}")

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
            self._exporter.finish(outbox, "quarantined", self._now_us)
        move_to_quarantine(path, place)
        self._report.quarantined.append(found)
        self._find(f"{str(path)!r} is no sound outbox: {reason}; moved to {str(place)!r}")

    def _find(self, finding: str) -> None:
        self._report.findings.append(finding)
