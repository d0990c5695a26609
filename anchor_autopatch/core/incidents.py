"""What an incident is, for the process that tells of one first and for the job that keeps it.

All instants are microseconds since 1970-01-01 UTC (`_us`).
"""

from __future__ import annotations

from typing import NamedTuple

SEVERITIES = ("info", "warning", "error", "critical")
"""From what is only kept to what wakes somebody up."""
PENDING, OPEN, REOPENED = "pending", "open", "reopened"
ACKNOWLEDGED, RESOLVED = "acknowledged", "resolved"
ACTIVE = (OPEN, REOPENED, ACKNOWLEDGED)
"""States in which an incident goes on; `pending` is none yet: too little was seen."""

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US


def rank(severity: str | None) -> int:
    """Place of a severity among SEVERITIES; -1 for none."""
    return SEVERITIES.index(severity) if severity else -1


class Incident(NamedTuple):
    """One cause, from its first failure to its end; a row of the table `incident`."""

    incident_id: str
    fingerprint: str
    event_class: str
    provider: str | None
    dependency: str | None
    model: str | None
    """Of the first event, like the five fields below."""
    code: str | None
    exception_type: str | None
    message: str | None
    call_site: str | None
    service: str | None
    severity: str
    state: str
    first_seen_us: int
    last_seen_us: int
    event_count: int
    """Failed requests, exactly; those that an SDK sent again by itself included."""
    call_count: int
    """Calls that ended so: without the requests that were sent again."""
    wasted_requests: int
    """Failed requests that repeated one that had failed."""
    opened_at_us: int
    """When it was first known here."""
    reopen_count: int = 0
    ack_by: str | None = None
    ack_at_us: int | None = None
    resolved_at_us: int | None = None
    resolve_reason: str | None = None
    """recovered | auto_quiet | manual."""
    inhibited_by: str | None = None
    """Incident that explains this one; nobody is told of both."""
    notice_count: int = 0
    notified_severity: str | None = None
    """Severity that was last told; None = nobody was told since it opened."""
    notified_at_us: int | None = None
    first_notified_us: int | None = None
    reminders_sent: int = 0


class Affected(NamedTuple):
    """One application that an incident hit, with one model."""

    incident_id: str
    team: str
    service: str
    environment: str
    """Empty where nobody said, like the two above and `model`."""
    model: str
    event_count: int
    first_seen_us: int
    last_seen_us: int


class Silence(NamedTuple):
    """Tells nobody of what it matches until it ends; nothing is left unrecorded."""

    silence_id: str
    matcher: str
    """`field=value` pairs, joined by commas; all must match."""
    until_us: int
    author: str
    reason: str
    created_at_us: int
