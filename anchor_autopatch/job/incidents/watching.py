"""The side-car: looks into the outboxes again and again, and tells within seconds.

It holds nothing in memory that a round after its death would miss, and it opens neither the
warehouse nor an outbox for writing: any number of them, and the cron job, may run beside each
other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.delivery.sending import SendReport
from anchor_autopatch.job.incidents.evaluating import EvaluateReport
from anchor_autopatch.job.incidents.running import look_into_outboxes, send
from anchor_autopatch.job.incidents.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path
    from threading import Event

    from anchor_autopatch.job.incidents.intake import Signatures
    from anchor_autopatch.job.incidents.running import Settings


class WatchReport(NamedTuple):
    """What one round found and told."""

    found: EvaluateReport
    sent: SendReport

    @property
    def is_news(self) -> bool:
        """Whether there is anything to say about it."""
        return bool(self.found.events or self.found.resolved or any(self.sent))


def watch_once(
    homes: Sequence[Path], settings: Settings, now: datetime, read: Signatures | None = None
) -> WatchReport:
    """One round; the first home holds `incidents.db`, `read` is what earlier rounds have read.

    Raises:
        StoreError: `incidents.db` cannot be used.
    """
    with Store(homes[0]) as store:
        found = look_into_outboxes(store, homes, settings, now, read)
        return WatchReport(found, send(store, homes[0], settings, now))


def watch(
    homes: Sequence[Path],
    settings: Settings,
    clock: Callable[[], datetime],
    told: Callable[[WatchReport], object],
    *,
    interval_s: float,
    ended: Event,
) -> None:
    """Rounds until `ended` is set; `told` hears of each."""
    # Thousands of files may wait for the shipper; those that nobody writes to are not opened again.
    read: Signatures = {}
    while not ended.is_set():
        told(watch_once(homes, settings, clock(), read))
        ended.wait(interval_s)
