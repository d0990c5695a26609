"""What incidents are made of. All instants are microseconds since 1970-01-01 UTC (`_us`)."""

from __future__ import annotations

from typing import NamedTuple

from anchor_autopatch.core.incidents import (
    ACKNOWLEDGED,
    ACTIVE,
    DAY_US,
    HOUR_US,
    MINUTE_US,
    OPEN,
    PENDING,
    REOPENED,
    RESOLVED,
    SEVERITIES,
    Affected,
    Incident,
    Silence,
    rank,
)

# Names of the core beside those of the job alone, so that its modules read one place.
__all__ = [
    "ACKNOWLEDGED",
    "ACTIVE",
    "DAY_US",
    "HOUR_US",
    "MINUTE_US",
    "OPEN",
    "PENDING",
    "REOPENED",
    "RESOLVED",
    "SEVERITIES",
    "SLOT_US",
    "Affected",
    "Change",
    "Counts",
    "Incident",
    "Silence",
    "rank",
]

SLOT_US = 10_000_000
"""Calls are counted by slots of ten seconds."""


class Change(NamedTuple):
    """One step in the life of an incident, for its audit trail."""

    kind: str
    """opened | severity_up | acknowledged | resolved | reopened."""
    at_us: int
    actor: str
    note: str


class Counts(NamedTuple):
    """Calls of what an incident is about, in one window of time."""

    failed: int
    succeeded: int

    @property
    def total(self) -> int:
        """Calls that ended in either way."""
        return self.failed + self.succeeded
