"""What an incident is, for the process that tells of one first and for the job that keeps it.

All instants are microseconds since 1970-01-01 UTC (`_us`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from anchor_autopatch.core.records import ExceptionEvent

SEVERITIES = ("info", "warning", "error", "critical")
"""From what is only kept to what wakes somebody up."""
PENDING, OPEN, REOPENED = "pending", "open", "reopened"
ACKNOWLEDGED, RESOLVED = "acknowledged", "resolved"
ACTIVE = (OPEN, REOPENED, ACKNOWLEDGED)
"""States in which an incident goes on; `pending` is none yet: too little was seen."""

AT_ONCE = {
    "billing_exhausted": "critical",
    "auth": "critical",
    "model_gone": "critical",
    "quota_daily": "warning",
    "attribution_required": "error",
    "app_error": "error",
    "internal": "warning",
}
"""Class -> severity at the first occurrence; all others are judged by counts."""

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


def begun_by(event: ExceptionEvent, fingerprint: str, incident_id: str, now_us: int) -> Incident:
    """The incident that this failure is the first of; `pending` until it was judged."""
    return Incident(
        incident_id=incident_id,
        fingerprint=fingerprint,
        event_class=event.event_class,
        provider=event.provider,
        dependency=event.dependency,
        model=event.request_model,
        code=event.code,
        exception_type=event.exception_type,
        message=event.message,
        call_site=event.call_site,
        service=event.service,
        severity="info",
        state=PENDING,
        first_seen_us=event.occurred_at_us,
        last_seen_us=event.occurred_at_us,
        event_count=1,
        call_count=int(not event.retried),
        wasted_requests=int((event.attempts or 1) > 1),
        opened_at_us=now_us,
    )


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
