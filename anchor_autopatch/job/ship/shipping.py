"""Moves rows from outboxes to a destination, with the effect of exactly once.

Rows, losses and the new watermark are committed together; a row that the destination has already
is left out. So a shipper may be killed at any step: what was committed is not taken again.
"""

from __future__ import annotations

import gc
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from anchor_autopatch.core.destinations import ENTRY_POINTS
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.settings import OUTBOX_FOLDER, default_home
from anchor_autopatch.job.clock import never_back, to_micros
from anchor_autopatch.job.lease import SHIPPER_LOCK, lease
from anchor_autopatch.job.ship.files import FileShipper
from anchor_autopatch.job.ship.outbox_reader import fallback_files, outbox_files
from anchor_autopatch.job.ship.quarantine import remove_strays
from anchor_autopatch.job.ship.report import ShipReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from duckdb import DuckDBPyConnection

    from anchor_autopatch.core.destinations import Exporter

__all__ = ("MEMORY_LIMIT", "ShipReport", "find_exporter", "ship", "ship_to")

MEMORY_LIMIT = "384MB"
"""What DuckDB may hold while it ships. It keeps what it has written as long as it may, 55 MB more
for each million receipts; rows and stages take 400 MB, however many are shipped."""


def ship(con: DuckDBPyConnection, homes: Sequence[Path], now: datetime) -> ShipReport:
    """Ships every outbox of the homes into the open warehouse; twice is the same as once."""
    # Only here: who ships elsewhere, or reads outboxes for incidents, may have no DuckDB.
    from anchor_autopatch.job.warehouse import frugal

    with frugal(con, MEMORY_LIMIT):
        return ship_to(find_exporter("duckdb")(con), homes, now, booked_at=never_back(con, now))


def ship_to(
    exporter: Exporter, homes: Sequence[Path], now: datetime, *, booked_at: datetime | None = None
) -> ShipReport:
    """Ships every outbox of the homes to a destination, wherever their processes had to write.

    Args:
        exporter: the destination.
        homes: whose outboxes.
        now: the instant of the run, which the age of files is counted to; aware.
        booked_at: what the rows are dated; default: `now`.
    """
    report = ShipReport()
    run = FileShipper(exporter, to_micros(booked_at or now), report)
    with _no_search_for_cycles():
        for home in homes:
            with _working_on(home, report) as mine:
                if mine:
                    run.ship_files(outbox_files(home))
                    remove_strays(home / OUTBOX_FOLDER, to_micros(now))
        fallback = Path(default_home())
        if fallback not in homes:
            with _working_on(fallback, report) as mine:
                if mine:
                    run.ship_files(fallback_files(fallback, {str(home) for home in homes}))
    return report


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Holds Python's cycle collector back within the block, where it was on.

    Rows are tuples of texts and numbers, which no cycle can go through; to look into each of them
    took 8 % of the time of shipping.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def _working_on(home: Path, report: ShipReport) -> Iterator[bool]:
    """Yields whether this process alone may ship the outboxes of a home."""
    folder = home / OUTBOX_FOLDER
    with ExitStack() as stack:
        mine = False
        try:
            if folder.is_dir():
                mine = stack.enter_context(lease(folder / SHIPPER_LOCK))
                if not mine:
                    report.busy.append(str(home))
        except OSError as error:
            report.findings.append(f"Cannot work in {str(folder)!r}: {error.strerror}")
        yield mine


@cache
def find_exporter(name: str) -> Callable[[object], Exporter]:
    """The destination of this name, from the entry points of what is installed.

    Raises:
        ConfigError: nothing installed offers it.
    """
    # Once a process: the search reads the metadata of every installed package, 10 ms.
    found = entry_points(group=ENTRY_POINTS)
    if name not in found.names:
        known = ", ".join(sorted(found.names)) or "none"
        raise ConfigError(f"Unknown destination {name!r}; installed: {known}")
    exporter: Callable[[object], Exporter] = found[name].load()
    return exporter
