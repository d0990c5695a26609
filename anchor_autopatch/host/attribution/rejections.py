"""Counts inbound attribution headers that were refused, and tells of them in the outbox.

Each doubling of a count is told by an exception event, and the rest at the end of the process: the
numbers that the events carry sum to the count, and a flood of forged headers writes few rows.
"""

from __future__ import annotations

import atexit
import os

from anchor_autopatch.host.patching import guarded

counts: dict[str, int] = {}
"""Reason -> how often in this process: untrusted, invalid, expired, unknown key, value, too many.

Requests are counted that made a provider call; nobody looks at the headers of others.
"""
_told: dict[str, int] = {}


def note(reason: str) -> None:
    """Counts one header, or one request whose headers are not believed."""
    count = counts[reason] = counts.get(reason, 0) + 1
    if count & (count - 1) == 0:
        _tell(reason)


def forget() -> None:
    """Starts from nothing, in a forked child or for a test."""
    counts.clear()
    _told.clear()


@guarded("context")
def _tell(reason: str) -> None:
    from anchor_autopatch.host import failures
    from anchor_autopatch.host.attribution import resolving

    since = counts[reason] - _told.get(reason, 0)
    _told[reason] = counts[reason]
    text = f"{since} more refused ({reason}), {counts[reason]} so far; nothing of them was kept"
    failures.record_refused_headers(reason, since, text, resolving.of_process())


@atexit.register
def _tell_rest() -> None:
    for reason, count in list(counts.items()):
        if count > _told.get(reason, 0):
            _tell(reason)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
