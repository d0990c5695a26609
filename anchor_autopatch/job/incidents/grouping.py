"""Gathers events of one cause; pure: any split of the same events into runs counts alike."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.fingerprint import fingerprint
from anchor_autopatch.core.records import ExceptionEvent
from anchor_autopatch.job.incidents.records import SLOT_US

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

App = tuple[str, str, str, str]
"""Team, service, environment, model; empty where nobody said."""


class Group(NamedTuple):
    """New events of one fingerprint, at least one."""

    fingerprint: str
    first: ExceptionEvent
    """The earliest one."""
    last_seen_us: int
    event_ids: tuple[str, ...]
    event_count: int
    """More than ids where rows stand for many."""
    call_count: int
    wasted_requests: int
    apps: Mapping[App, tuple[int, int, int]]
    """Application -> events, first and last instant."""
    failed_slots: Mapping[int, int]
    """Start of a slot -> calls that ended in it."""


def group(events: Iterable[ExceptionEvent]) -> list[Group]:
    """The groups, in the order of their first event; what is only counted is in none."""
    found: dict[str, list[ExceptionEvent]] = {}
    for event in events:
        key = fingerprint(event)
        if key is not None:
            found.setdefault(key, []).append(event)
    groups = (_gathered(key, members) for key, members in found.items())
    return sorted(groups, key=lambda each: (each.first.occurred_at_us, each.fingerprint))


def _gathered(key: str, members: list[ExceptionEvent]) -> Group:
    members = sorted(members, key=lambda event: (event.occurred_at_us, event.event_id))
    ended = [event for event in members if not event.retried]
    return Group(
        fingerprint=key,
        first=members[0],
        last_seen_us=members[-1].occurred_at_us,
        event_ids=tuple(event.event_id for event in members),
        event_count=_count(members),
        call_count=_count(ended),
        wasted_requests=_count(event for event in members if (event.attempts or 1) > 1),
        apps=_apps(members),
        failed_slots=_by_slot(ended),
    )


def _count(events: Iterable[ExceptionEvent]) -> int:
    return sum(event.occurrences for event in events)


def _by_slot(ended: list[ExceptionEvent]) -> Counter[int]:
    slots: Counter[int] = Counter()
    for event in ended:
        slots[slot_of(event.occurred_at_us)] += event.occurrences
    return slots


def _apps(members: list[ExceptionEvent]) -> dict[App, tuple[int, int, int]]:
    apps: dict[App, tuple[int, int, int]] = {}
    # In the order of time: the first of an application is its earliest, the last one its latest.
    for event in members:
        app = (
            event.team or "",
            event.service or "",
            event.environment or "",
            event.request_model or "",
        )
        count, first, _ = apps.get(app, (0, event.occurred_at_us, 0))
        apps[app] = (count + event.occurrences, first, event.occurred_at_us)
    return apps


def slot_of(instant_us: int) -> int:
    """Start of the slot of an instant."""
    return instant_us - instant_us % SLOT_US
