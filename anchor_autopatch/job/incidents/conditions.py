"""How incidents about money go on and end: by the calendar, not by a success; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from anchor_autopatch.core.conditions import BUDGETS
from anchor_autopatch.job.clock import to_micros
from anchor_autopatch.job.incidents.records import DAY_US, HOUR_US, Incident

TOLD_ONCE = BUDGETS
"""Classes of which nobody is reminded: that half of a month's money is gone does not change."""
_CODE = re.compile(r"(?P<budget>[^/]+/(?P<year>\d{4})-(?P<month>\d\d))@(?P<share>\d+)%")
_AFTER_MONTH_US = 3 * DAY_US
# Longer than the way from one event to the next: unusual hours come hourly, as the cron job does.
_QUIET_US = {
    "spend_anomaly": 3 * HOUR_US,
    "retry_storm": HOUR_US,
    "useless_retry": DAY_US,
    # Said once a day, as long as calls of it come and have no price.
    "unpriced_model": DAY_US + HOUR_US,
    # A budget that still burns says so once a day.
    "budget_burn": DAY_US + HOUR_US,
    "budget_pace": DAY_US + HOUR_US,
}


def quiet_us(incident: Incident) -> int:
    """Microseconds from its last event for which it goes on at least; 0 for all but conditions.

    A threshold stays crossed until its month is over; three days more, so that one that was
    crossed in the last hour is seen.
    """
    month = _CODE.match(incident.code or "")
    if incident.event_class not in ("budget_threshold", "budget_exceeded") or month is None:
        return _QUIET_US.get(incident.event_class, 0)
    first = datetime(int(month["year"]), int(month["month"]), 1, tzinfo=UTC)
    end = (first + timedelta(days=31)).replace(day=1)
    return max(to_micros(end) + _AFTER_MONTH_US - incident.last_seen_us, 0)


def explainer(incident: Incident, active: Sequence[Incident]) -> Incident | None:
    """The incident about the same budget and month that says more than this one."""
    if incident.event_class not in BUDGETS:
        return None
    said = _share(incident)
    louder = [
        other
        for other in active
        if other.event_class in ("budget_threshold", "budget_exceeded")
        and _budget(other) == _budget(incident)
        and _share(other) > said
    ]
    return max(louder, key=_share, default=None)


def _budget(incident: Incident) -> str:
    return (incident.code or "").partition("@")[0]


def _share(incident: Incident) -> int:
    """Percent of the budget; a pace is news until the budget is used up."""
    found = _CODE.match(incident.code or "")
    return int(found["share"]) if found else 99
