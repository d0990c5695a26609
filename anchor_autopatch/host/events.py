"""The one way of an exception event: committed to the outbox first, told of after that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.core.incidents import AT_ONCE
from anchor_autopatch.host.storage import outbox

if TYPE_CHECKING:
    from anchor_autopatch.core.records import ExceptionEvent


def leave(event: ExceptionEvent) -> None:
    """Commits an event, and tells of it where it alone makes an incident."""
    outbox.write_event(event)
    # Only what is on the disk: the job must find what somebody was told of.
    if event.event_class in AT_ONCE and outbox.is_committed():
        from anchor_autopatch.host.alerting import telling

        telling.offer(event)
