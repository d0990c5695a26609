"""The life of an incident: pending, open, acknowledged, resolved, reopened; pure.

A function takes the incident as it was and gives it as it is, with the steps that it took; nothing
here knows of files, clocks or sinks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.incidents import begun_by
from anchor_autopatch.job.incidents.conditions import quiet_us
from anchor_autopatch.job.incidents.records import (
    ACKNOWLEDGED,
    ACTIVE,
    OPEN,
    PENDING,
    REOPENED,
    RESOLVED,
    Change,
    Incident,
    rank,
)
from anchor_autopatch.job.incidents.severity import BY_RATE, is_incident

if TYPE_CHECKING:
    from anchor_autopatch.job.incidents.grouping import Group
    from anchor_autopatch.job.incidents.rules import IncidentRules

MACHINE = "anchor"
"""Actor of every step that no person took."""
_QUIET_INTERVALS = 3
# Of these a success at the provider is the only proof that they are over: silence may be that of an
# application that has given up.
_NEED_SUCCESS = BY_RATE | {"billing_exhausted", "auth", "model_gone", "quota_daily"}


class Step(NamedTuple):
    """An incident after something happened, and what that was, in order."""

    incident: Incident
    changes: tuple[Change, ...] = ()


def begin(found: Group, incident_id: str, now_us: int) -> Incident:
    """The incident that these events are the first of; `pending` until it was judged."""
    return begun_by(found.first, found.fingerprint, incident_id, now_us)._replace(
        last_seen_us=found.last_seen_us,
        event_count=found.event_count,
        call_count=found.call_count,
        wasted_requests=found.wasted_requests,
    )


def goes_on(incident: Incident, found: Group, rules: IncidentRules) -> bool:
    """Whether these events belong to this incident, or begin another one of the same cause."""
    ended = incident.resolved_at_us
    return ended is None or found.first.occurred_at_us - ended <= rules.reopen_us


def count(incident: Incident, found: Group) -> Incident:
    """Adds the events to the figures of an incident, whatever its state; that stays."""
    return incident._replace(
        first_seen_us=min(incident.first_seen_us, found.first.occurred_at_us),
        last_seen_us=max(incident.last_seen_us, found.last_seen_us),
        event_count=incident.event_count + found.event_count,
        call_count=incident.call_count + found.call_count,
        wasted_requests=incident.wasted_requests + found.wasted_requests,
    )


def absorb(incident: Incident, found: Group, now_us: int) -> Step:
    """Counts the events; what came after the end of a resolved incident opens it again."""
    counted = count(incident, found)
    ended = incident.resolved_at_us
    # Events that happened before the end and were shipped after it change the count, not the state.
    if incident.state != RESOLVED or ended is None or found.last_seen_us <= ended:
        return Step(counted)
    reopened = counted._replace(
        state=REOPENED,
        reopen_count=incident.reopen_count + 1,
        ack_by=None,
        ack_at_us=None,
        resolved_at_us=None,
        resolve_reason=None,
        inhibited_by=None,
        notified_severity=None,
        first_notified_us=None,
        reminders_sent=0,
    )
    return Step(reopened, (Change(REOPENED, now_us, MACHINE, ""),))


def judge(incident: Incident, severity: str, now_us: int) -> Step:
    """Opens a pending incident that is one, and raises the severity; it never falls by itself."""
    if incident.state == PENDING:
        if not is_incident(incident, severity):
            return Step(incident)
        opened = incident._replace(state=OPEN, severity=severity, opened_at_us=now_us)
        return Step(opened, (Change("opened", now_us, MACHINE, severity),))
    if incident.state not in ACTIVE or rank(severity) <= rank(incident.severity):
        return Step(incident)
    worse = incident._replace(severity=severity)
    note = f"{incident.severity} to {severity}"
    return Step(worse, (Change("severity_up", now_us, MACHINE, note),))


def end(incident: Incident, last_success_us: int | None, now_us: int, rules: IncidentRules) -> Step:
    """Resolves what is over: quiet for long enough, and known to work again where that can be."""
    if incident.state not in ACTIVE or now_us - incident.last_seen_us < _quiet_us(incident, rules):
        return Step(incident)
    if not needs_success(incident):
        return _resolved(incident, "auto_quiet", MACHINE, now_us)
    if last_success_us is None or last_success_us <= incident.last_seen_us:
        return Step(incident)
    return _resolved(incident, "recovered", MACHINE, now_us)


def needs_success(incident: Incident) -> bool:
    """Whether only a success ends it; of other dependencies and of applications none is seen."""
    return incident.provider is not None and incident.event_class in _NEED_SUCCESS


def is_stale(incident: Incident, now_us: int, rules: IncidentRules) -> bool:
    """Quiet, and nobody knows whether it works again: the traffic stopped, not the failure."""
    quiet = now_us - incident.last_seen_us >= _quiet_us(incident, rules)
    return incident.state in ACTIVE and quiet and needs_success(incident)


def _quiet_us(incident: Incident, rules: IncidentRules) -> int:
    """Three of its usual intervals, at least the rule's time: what fails hourly is not over yet."""
    intervals = max(incident.event_count - 1, 1)
    usual = (incident.last_seen_us - incident.first_seen_us) // intervals
    return max(rules.quiet_us, quiet_us(incident), _QUIET_INTERVALS * usual)


def acknowledge(incident: Incident, actor: str, note: str, now_us: int) -> Step:
    """Somebody has taken it on: no more reminders."""
    taken = incident._replace(state=ACKNOWLEDGED, ack_by=actor, ack_at_us=now_us)
    return Step(taken, (Change(ACKNOWLEDGED, now_us, actor, note),))


def resolve(incident: Incident, actor: str, note: str, now_us: int) -> Step:
    """Somebody says that it is over; a later failure opens it again."""
    return _resolved(incident, "manual", actor, now_us, note)


def _resolved(incident: Incident, reason: str, actor: str, now_us: int, note: str = "") -> Step:
    ended = incident._replace(state=RESOLVED, resolved_at_us=now_us, resolve_reason=reason)
    return Step(ended, (Change(RESOLVED, now_us, actor, note or reason),))
