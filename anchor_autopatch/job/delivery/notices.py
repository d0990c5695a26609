"""Whether somebody is to be told of an incident now, and of what; pure.

Told is each state once: that it opened, that it got worse, that it goes on, that it is over. What
was told is kept with the incident, so that neither a restart nor a sink that was down for days
changes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.job.incidents.conditions import TOLD_ONCE
from anchor_autopatch.job.incidents.records import (
    ACKNOWLEDGED,
    ACTIVE,
    DAY_US,
    MINUTE_US,
    REOPENED,
    RESOLVED,
    Incident,
    rank,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STORM = 20
"""New incidents a minute that are told one by one."""
_NEW = ("opened", REOPENED)
_NEWS_US = 3 * DAY_US
"""What ended longer ago than this is history; nobody is told of it for the first time."""
_PACE_US = MINUTE_US
"""At most one message about what is known to be open."""


def notice(
    incident: Incident, minimum: str, reminders: Sequence[int], *, hushed: bool, now_us: int
) -> str | None:
    """What is to be told now, None for nothing.

    Args:
        incident: As it is now, with what was told of it.
        minimum: Severity from which anybody wants to know.
        reminders: Microseconds after the first message at which to remind; the last one repeats.
        hushed: Silenced, or explained by another incident.
        now_us: The present instant.
    """
    if incident.state == RESOLVED:
        # Also when silenced meanwhile: who was told of the beginning waits for the end.
        return RESOLVED if incident.notified_severity else None
    if hushed or incident.state not in ACTIVE or rank(incident.severity) < rank(minimum):
        return None
    if incident.notified_severity is None:
        return _first(incident, now_us)
    if now_us - (incident.notified_at_us or 0) < _PACE_US:
        return None
    if rank(incident.severity) > rank(incident.notified_severity):
        return "severity_up"
    return "reminder" if _reminder_due(incident, reminders, now_us) else None


def _first(incident: Incident, now_us: int) -> str | None:
    if incident.state == ACKNOWLEDGED or now_us - incident.last_seen_us > _NEWS_US:
        return None
    return REOPENED if incident.state == REOPENED else "opened"


def _reminder_due(incident: Incident, reminders: Sequence[int], now_us: int) -> bool:
    if incident.event_class in TOLD_ONCE:
        return False
    passed = reminders_passed(incident, reminders, now_us)
    return incident.state != ACKNOWLEDGED and passed > incident.reminders_sent


def reminders_passed(incident: Incident, reminders: Sequence[int], now_us: int) -> int:
    """How many reminders should have been sent by now."""
    if not reminders or incident.first_notified_us is None:
        return 0
    open_for = now_us - incident.first_notified_us
    passed = sum(open_for >= after for after in reminders)
    return passed + (max(open_for - reminders[-1], 0) // reminders[-1])


def split_storm(
    due: Sequence[tuple[Incident, str]], known: Iterable[Incident], now_us: int
) -> tuple[list[tuple[Incident, str]], list[Incident]]:
    """What is told one by one, and new incidents beyond STORM a minute, told in one message."""
    recent = sum(now_us - (each.first_notified_us or 0) < _PACE_US for each in known)
    new = [incident for incident, kind in due if kind in _NEW]
    room = max(STORM - recent, 0)
    together = new[room:]
    ids = {incident.incident_id for incident in together}
    return [each for each in due if each[0].incident_id not in ids], together


def told(incident: Incident, kind: str, reminders: Sequence[int], now_us: int) -> Incident:
    """The incident after somebody was told."""
    return incident._replace(
        notice_count=incident.notice_count + 1,
        notified_severity=None if kind == RESOLVED else incident.severity,
        notified_at_us=now_us,
        first_notified_us=incident.first_notified_us or now_us,
        # Those that were missed are not made up for: one message says the same as five.
        reminders_sent=max(incident.reminders_sent, reminders_passed(incident, reminders, now_us)),
    )
