"""One run over what is new: counts it, judges it, decides who is told; all in one transaction.

The side-car and the cron job call the same function. Whichever comes first takes the events in; the
other one finds nothing new. What is to be told is committed here and sent by `delivery.sending`.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.alerting.documents import document, storm_document
from anchor_autopatch.core.alerting.silences import silenced
from anchor_autopatch.core.crash_points import reached
from anchor_autopatch.job.clock import to_micros
from anchor_autopatch.job.delivery.notices import notice, split_storm, told
from anchor_autopatch.job.delivery.queue import enqueue, sinks_told
from anchor_autopatch.job.incidents import lifecycle
from anchor_autopatch.job.incidents.adopting import adopt, note_tries, wanting
from anchor_autopatch.job.incidents.claiming import Board
from anchor_autopatch.job.incidents.grouping import Group, group
from anchor_autopatch.job.incidents.inhibition import inhibitor
from anchor_autopatch.job.incidents.records import ACTIVE, RESOLVED, Affected, Incident
from anchor_autopatch.job.incidents.severity import LONGEST_US, severity_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from anchor_autopatch.core.alerting.rules import AlertRules
    from anchor_autopatch.core.records import ExceptionEvent
    from anchor_autopatch.job.incidents.intake import Intake
    from anchor_autopatch.job.incidents.rules import IncidentRules
    from anchor_autopatch.job.incidents.store import Store

_KEPT_COUNTS_US = 2 * LONGEST_US


class EvaluateReport(NamedTuple):
    """What one run found."""

    events: int
    """New ones; of a storm all those that its rows stand for."""
    opened: tuple[str, ...]
    """Ids of incidents that opened, or opened again."""
    resolved: tuple[str, ...]
    messages: int
    """Committed, to be sent."""


def evaluate(
    store: Store,
    taken: Callable[[], Intake],
    rules: IncidentRules,
    alerts: AlertRules,
    now: datetime,
    board: Board | None = None,
) -> EvaluateReport:
    """Takes in what is new and brings every incident up to date; killed anywhere, it happens once.

    Args:
        store: Open incidents.db.
        taken: Reads what is new; called within the transaction, so that no two runs read the same.
        rules: When an incident is over.
        alerts: Who is told.
        now: Aware.
        board: What processes have told of; None where none can have told of anything.
    """
    now_us = to_micros(now)
    board = board or Board()
    with store.transaction():
        intake = taken()
        before = {each.incident_id: each.state for each in store.unsettled()}
        events, grown = _news(store, intake.events)
        _count_successes(store, intake)
        touched = [_take(store, found, rules, board, now_us) for found in group(events)]
        touched += [_grow(store, found, now_us) for each in grown for found in group([each])]
        for incident_id in dict.fromkeys(touched):
            _judge(store, incident_id, now_us)
            adopt(store, board, alerts, _known(store, incident_id), now_us)
        _end(store, rules, now_us)
        _explain(store)
        note_tries(store, board)
        messages = _tell(store, alerts, now_us)
        board.settle(store, rules, now_us)
        board.silence(store, now_us)
        for outbox_id, mark in intake.marks.items():
            store.keep_mark(outbox_id, mark)
        store.forget_counts(now_us - _KEPT_COUNTS_US)
        reached("incidents.evaluated")
    after = [store.incident(each) for each in {*before, *touched}]
    states = {each.incident_id: each.state for each in after if each is not None}
    return EvaluateReport(
        events=sum(event.occurrences for event in (*events, *grown)),
        opened=_became(states, before, ACTIVE),
        resolved=_became(states, before, (RESOLVED,)),
        messages=messages,
    )


def _became(
    states: dict[str, str], before: dict[str, str], wanted: Sequence[str]
) -> tuple[str, ...]:
    return tuple(
        sorted(
            each
            for each, state in states.items()
            if state in wanted and before.get(each) not in wanted
        )
    )


def _news(
    store: Store, events: Iterable[ExceptionEvent]
) -> tuple[list[ExceptionEvent], list[ExceptionEvent]]:
    """Events never seen before, and what known ones have grown by; each stands for that much."""
    fresh, grown = [], []
    for event in events:
        was_known = store.incident_of(event.event_id) if event.occurrences > 1 else None
        new = store.note_event(event.event_id, event.occurrences)
        if new:
            told = event._replace(occurrences=new)
            fresh.append(told) if was_known is None else grown.append(told)
    return fresh, grown


def _count_successes(store: Store, intake: Intake) -> None:
    for each in intake.successes:
        store.add_succeeded(each.provider, each.model, each.slot_us, each.calls)
        store.note_success(each.provider, each.model, each.last_us)


def _take(store: Store, found: Group, rules: IncidentRules, board: Board, now_us: int) -> str:
    """Counts the events in the incident of their cause and returns its id."""
    known = store.latest(found.fingerprint)
    if known is None or not lifecycle.goes_on(known, found, rules):
        step = lifecycle.Step(lifecycle.begin(found, board.id_of(store, found, now_us), now_us))
    else:
        step = lifecycle.absorb(known, found, now_us)
    store.assign(found.event_ids, step.incident.incident_id)
    return _count(store, step, found)


def _grow(store: Store, found: Group, now_us: int) -> str:
    """Counts what an event has grown by, in the incident that it is part of, and returns its id."""
    incident = store.incident_of(found.event_ids[0])
    latest = store.latest(found.fingerprint)
    if incident is None or latest is None:
        raise AssertionError(f"Event {found.event_ids[0]!r} was part of an incident a moment ago")
    if incident.incident_id == latest.incident_id:
        step = lifecycle.absorb(incident, found, now_us)
    else:
        # Another one of the same cause has begun since: this one must not open beside it.
        step = lifecycle.Step(lifecycle.count(incident, found))
    return _count(store, step, found)


def _count(store: Store, step: lifecycle.Step, found: Group) -> str:
    incident_id = step.incident.incident_id
    _keep(store, step)
    store.add_affected(Affected(incident_id, *app, *counted) for app, counted in found.apps.items())
    store.add_failed(found.fingerprint, found.failed_slots)
    return incident_id


def _judge(store: Store, incident_id: str, now_us: int) -> None:
    incident = _known(store, incident_id)
    severity = severity_of(
        incident,
        lambda window_us: store.counts(incident, window_us),
        store.in_a_row(incident, LONGEST_US),
    )
    _keep(store, lifecycle.judge(incident, severity, now_us))


def _end(store: Store, rules: IncidentRules, now_us: int) -> None:
    for incident in store.unsettled():
        if incident.state in ACTIVE:
            _keep(store, lifecycle.end(incident, store.last_success(incident), now_us, rules))


def _explain(store: Store) -> None:
    unsettled = store.unsettled()
    for incident in unsettled:
        explained = inhibitor(incident, unsettled)
        if explained != incident.inhibited_by:
            store.keep(incident._replace(inhibited_by=explained))


def _tell(store: Store, alerts: AlertRules, now_us: int) -> int:
    """Commits a message for every sink that is to know something now."""
    if not alerts.sinks:
        return 0
    due = list(_notices(store, alerts, now_us))
    one_by_one, together = split_storm(due, store.unsettled(), now_us)
    count = sum(_enqueue(store, alerts, each, kind, now_us) for each, kind in one_by_one)
    return count + _enqueue_storm(store, alerts, together, now_us)


def _notices(store: Store, alerts: AlertRules, now_us: int) -> Iterator[tuple[Incident, str]]:
    silences = store.silences()
    for incident in store.unsettled():
        hushed = incident.inhibited_by is not None or silenced(incident, silences, now_us)
        kind = notice(incident, alerts.minimum, alerts.reminders, hushed=hushed, now_us=now_us)
        if kind is not None:
            yield incident, kind


def _enqueue_storm(
    store: Store, alerts: AlertRules, incidents: Sequence[Incident], now_us: int
) -> int:
    """One message that names them all, for every sink that wants to know of any of them."""
    if not incidents:
        return 0
    alert = storm_document(incidents, f"storm-{secrets.token_hex(4)}", now_us)
    names = set()
    for incident in incidents:
        wanted = wanting(store, alerts, incident)
        names |= wanted
        if wanted:
            store.keep(told(incident, "opened", alerts.reminders, now_us))
    for name in sorted(names):
        enqueue(store.con, name, alert, now_us)
    return len(names)


def _enqueue(store: Store, alerts: AlertRules, incident: Incident, kind: str, now_us: int) -> int:
    affected = store.affected(incident.incident_id)
    names = set(sinks_told(store.con, incident.incident_id))
    if kind != RESOLVED:
        names |= wanting(store, alerts, incident)
    key = f"{incident.incident_id}:{incident.notice_count + 1}"
    alert = document(incident, affected, kind, key, now_us)
    for name in sorted(names):
        enqueue(store.con, name, alert, now_us)
    if names or kind == RESOLVED:
        store.keep(told(incident, kind, alerts.reminders, now_us))
    return len(names)


def _keep(store: Store, step: lifecycle.Step) -> None:
    store.keep(step.incident)
    store.add_changes(step.incident.incident_id, step.changes)


def _known(store: Store, incident_id: str) -> Incident:
    found = store.incident(incident_id)
    if found is None:
        raise AssertionError(f"Incident {incident_id!r} was kept a moment ago")
    return found
