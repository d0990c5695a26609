"""A home with real files, real writers and the real job, and a clock and deaths that are given."""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from anchor_autopatch.core import crash_points, outbox_format
from anchor_autopatch.core.settings import WAREHOUSE_FILE
from anchor_autopatch.host.storage.outbox import Writer
from anchor_autopatch.job.archive import archive
from anchor_autopatch.job.invoices import TypedTotal, add_total
from anchor_autopatch.job.reconcile import reconcile
from anchor_autopatch.job.ship import ship
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.outboxes import START_US, event, receipt
from tests.simulation.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterable

START = datetime.fromtimestamp(START_US / 1e6, UTC)


class Died(BaseException):
    """The job was killed at a step; nothing of it may be caught on the way."""


class World:
    """Everything that one run of the simulation touches."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.model = Model()
        self.now = START
        self.writers: list[Writer] = []
        self.left_behind: list[object] = []
        """Connections of killed writers: closing one would tidy its files up, as no kill does."""
        self.copies: list[Path] = []
        self.deaths: list[str] = []
        self.has_shipped = False
        """The job ran, be it to its death, since somebody last looked."""
        self._made = 0
        self._first_seen: dict[Path, int] = {}
        self._rows: dict[Path, set[str]] = {}
        """Ids that each file holds, for what damage may excuse."""

    # -- writers --

    def start_writer(self) -> None:
        """A process begins."""
        self.writers.append(Writer())

    def write(self, which: int, kinds: str) -> None:
        """A writer acknowledges rows: r = receipt, e = exception event."""
        writer = self.writers[which % len(self.writers)]
        for kind in kinds:
            self._made += 1
            # The id, not the clock, tells rows apart: the clock may jump.
            if kind == "r":
                self._write_receipt(writer, f"service-{self._made % 3}")
            else:
                self._write_event(writer, f"service-{self._made % 3}")
            self.outboxes()

    def _write_receipt(self, writer: Writer, service: str) -> None:
        usage = f'{{"prompt_tokens": {self._made}, "completion_tokens": 1}}'
        row = receipt(self._made, service=service, raw_usage=usage, occurred_at_us=self._clock_us())
        writer.append(outbox_format.INSERT_RECEIPT, row)
        self.model.receipts[row.receipt_id] = (service, usage)
        self._rows.setdefault(Path(writer.file.path), set()).add(row.receipt_id)

    def _write_event(self, writer: Writer, service: str) -> None:
        row = event(self._made, service=service, occurred_at_us=self._clock_us())
        writer.append(outbox_format.INSERT_EVENT, row)
        self.model.events[row.event_id] = service
        self._rows.setdefault(Path(writer.file.path), set()).add(row.event_id)

    def _clock_us(self) -> int:
        return int(self.now.timestamp() * 1e6)

    def seal_file(self, which: int) -> None:
        """A writer's file is full: it goes on in the next one, and the job may have the old."""
        writer = self.writers[which % len(self.writers)]
        if writer.file is not None:
            # What the housekeeper's thread does, on this one: a history runs twice in the same way.
            writer._change_file()
            self.outboxes()

    def kill_writer(self, which: int) -> None:
        """A process dies as by SIGKILL: the kernel drops its lock, its WAL stays as it is."""
        writer = self.writers.pop(which % len(self.writers))
        if writer.file is not None:
            writer.file.let_go()
            self.left_behind.append(writer.file)
            _leave_as_killed(Path(writer.file.path))

    def end_writer(self, which: int) -> None:
        """A process ends in order."""
        writer = self.writers.pop(which % len(self.writers))
        if writer.file is not None:
            writer.file.close()

    # -- what happens to files --

    def outboxes(self) -> list[Path]:
        """Outbox files, oldest first.

        Their names end in random digits: by name, a history would not run twice in the same way.
        """
        found = sorted((self.home / "outbox").glob("*.db"))
        for path in found:
            self._first_seen.setdefault(path, len(self._first_seen))
        return sorted(found, key=self._first_seen.__getitem__)

    def copy_outbox(self, which: int) -> None:
        """Somebody backs an outbox up, whatever its state."""
        path = self.outboxes()[which % len(self.outboxes())]
        backup = self.home / f"backup-{len(self.copies)}.db"
        _copy(path, backup)
        self._rows[backup] = set(self._rows.get(path, ()))
        self.copies.append(backup)

    def restore_copy(self, which: int) -> None:
        """The backup comes back into the folder under a name of its own."""
        backup = self.copies[which % len(self.copies)]
        self._made += 1
        restored = self.home / "outbox" / f"restored-{self._made}.db"
        _copy(backup, restored)
        self._rows[restored] = set(self._rows[backup])

    def flip_bit(self, which: int, place: int) -> None:
        """A bit of a file that nobody writes to any more rots, in the database or in its WAL."""
        held = {writer.file.path for writer in self.writers if writer.file is not None}
        paths = [path for path in self.outboxes() if str(path) not in held]
        if not paths:
            return
        path = paths[which % len(paths)]
        wal = path.with_name(f"{path.name}-wal")
        rotten = wal if wal.exists() and place % 2 else path
        content = bytearray(rotten.read_bytes())
        if content:
            content[place // 2 % len(content)] ^= 1 << place % 8
            rotten.write_bytes(content)
            self.model.at_risk |= self._rows.get(path, set())

    def named(self, paths: Iterable[Path]) -> set[str]:
        """Ids of the rows that these files held."""
        return set().union(*(self._rows.get(path, ()) for path in paths))

    def add_foreign_file(self, content: bytes) -> None:
        """Something that is no outbox lands in the folder."""
        self._made += 1
        self.model.damaged += 1
        (self.home / "outbox" / f"foreign-{self._made}.db").write_bytes(content)

    # -- the job --

    def warehouse_state(self) -> object:
        """Another value whenever anything was written to the warehouse or its log."""
        found = sorted(self.home.glob(f"{WAREHOUSE_FILE}*"))
        return [
            (path.name, stat.st_ino, stat.st_size, stat.st_mtime_ns)
            for path in found
            if (stat := path.stat())
        ]

    def ship(self, die_at: int | None = None) -> None:
        """One run of the shipper; killed at the given step, if it has so many."""
        with self._dying(die_at), open_warehouse(self.home) as con:
            ship(con, [self.home], self.now)

    def reconcile(self, die_at: int | None = None) -> None:
        """One run of the cron line; killed at the given step, if it has so many."""
        with self._dying(die_at):
            reconcile([self.home], self.now, {})

    def archive(self, die_at: int | None = None) -> None:
        """One run of the archive; killed at the given step, if it has so many."""
        with self._dying(die_at), open_warehouse(self.home) as con:
            archive(con, self.home, self.now)

    def add_invoice(self, cents: int) -> None:
        """The provider's bill of the month, typed in; replaces the one before."""
        with open_warehouse(self.home) as con:
            total = f"{cents // 100}.{cents % 100:02d}"
            add_total(con, TypedTotal("openai", "2026-09", total, "USD"), self.now, replace=True)

    def move_clock(self, seconds: int) -> None:
        """Time passes, or jumps back."""
        self.now = max(START, min(self.now + timedelta(seconds=seconds), _END))

    @contextmanager
    def _dying(self, die_at: int | None):
        left = die_at
        self.has_shipped = True

        def observe(step: str) -> None:
            nonlocal left
            if left == 0:
                self.deaths.append(step)
                raise Died(step)
            left = None if left is None else left - 1

        with suppress(Died), crash_points.watched(observe):
            yield


# All rows stay in one month, so that one bill pays for them.
_END = datetime(2026, 9, 30, tzinfo=UTC)


def _leave_as_killed(path: Path) -> None:
    # New files in their place: the connection that stays open here would share its index of the
    # log with every reader in this process, and hide a log that rots from now on.
    for name in (path, path.with_name(f"{path.name}-wal"), path.with_suffix(".lock")):
        if name.exists():
            copy = name.with_name(f"{name.name}.copy")
            shutil.copy2(name, copy)
            copy.replace(name)
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)


def _copy(path: Path, to: Path) -> None:
    for ending in ("", "-wal"):
        source = path.with_name(path.name + ending)
        if source.exists():
            shutil.copy(source, to.with_name(to.name + ending))
            to.with_name(to.name + ending).chmod(0o600)
