"""Which incident is explained by another one, so that nobody is told of both; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.job.incidents.conditions import explainer
from anchor_autopatch.job.incidents.records import ACTIVE, MINUTE_US, Incident

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_TOGETHER_US = 5 * MINUTE_US
_SEVERAL = 2
_BY_NETWORK = frozenset(("network", "timeout", "provider_overloaded", "provider_5xx"))


def inhibitor(incident: Incident, others: Sequence[Incident]) -> str | None:
    """The id of the incident that explains this one, None for one that stands for itself.

    - A provider whose money is used up refuses with rate limits, too.
    - When several providers cannot be reached at once, it is our own network: the first incident
      that says so speaks for all.
    - What a budget has reached says all that it reached before.
    """
    active = [other for other in others if other.state in ACTIVE]
    louder = explainer(incident, active)
    if louder is not None:
        return louder.incident_id
    if incident.event_class == "rate_limited":
        return _first(
            other
            for other in active
            if other.event_class == "billing_exhausted" and other.provider == incident.provider
        )
    if incident.event_class in _BY_NETWORK and incident.provider is not None:
        down = _down_together(incident, active)
        if len({other.provider for other in down}) >= _SEVERAL:
            first = _first(down)
            return None if first == incident.incident_id else first
    return None


def _down_together(incident: Incident, active: Sequence[Incident]) -> list[Incident]:
    return [
        other
        for other in active
        if other.event_class == "network"
        and other.provider is not None
        and abs(other.first_seen_us - incident.first_seen_us) <= _TOGETHER_US
    ]


def _first(incidents: Iterable[Incident]) -> str | None:
    found = sorted(incidents, key=lambda each: (each.first_seen_us, each.incident_id))
    return found[0].incident_id if found else None
