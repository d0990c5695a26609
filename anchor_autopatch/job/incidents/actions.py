"""What people do to incidents: take one on, end one, keep quiet about some; all of it is kept."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from anchor_autopatch.core.alerting.silences import parse
from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.job.clock import to_micros
from anchor_autopatch.job.incidents import lifecycle
from anchor_autopatch.job.incidents.records import ACTIVE, Incident, Silence

if TYPE_CHECKING:
    from datetime import datetime

    from anchor_autopatch.job.incidents.store import Store


def find(store: Store, incident_id: str) -> Incident:
    """The incident with this id, or with the only id that begins so.

    Raises:
        StoreError: there is none, or more than one.
    """
    matching = [each for each in store.incidents() if each.incident_id.startswith(incident_id)]
    if not incident_id or not matching:
        raise StoreError(
            f"No incident {incident_id!r}; anchor incidents list --all shows their ids"
        )
    if len(matching) > 1:
        raise StoreError(
            f"{len(matching)} incidents begin with {incident_id!r}; write more of the id"
        )
    return matching[0]


def acknowledge(store: Store, incident_id: str, actor: str, note: str, now: datetime) -> Incident:
    """Notes who has taken the incident on.

    Raises:
        StoreError: there is none, or it does not go on.
    """
    with store.transaction():
        incident = _active(store, incident_id)
        return _keep(store, lifecycle.acknowledge(incident, actor, note, to_micros(now)))


def resolve(store: Store, incident_id: str, actor: str, note: str, now: datetime) -> Incident:
    """Notes who says that the incident is over.

    Raises:
        StoreError: there is none, or it does not go on.
    """
    with store.transaction():
        incident = _active(store, incident_id)
        return _keep(store, lifecycle.resolve(incident, actor, note, to_micros(now)))


def silence(
    store: Store, matcher: str, until: datetime, author: str, reason: str, now: datetime
) -> Silence:
    """Tells nobody of what matches, until then.

    Raises:
        ConfigError: the matcher cannot be read.
    """
    parse(matcher)
    made = Silence(
        silence_id=secrets.token_hex(4),
        matcher=matcher,
        until_us=to_micros(until),
        author=author,
        reason=reason,
        created_at_us=to_micros(now),
    )
    with store.transaction():
        store.add_silence(made)
    return made


def _active(store: Store, incident_id: str) -> Incident:
    incident = find(store, incident_id)
    if incident.state not in ACTIVE:
        raise StoreError(f"Incident {incident.incident_id} is {incident.state}: nothing to do")
    return incident


def _keep(store: Store, step: lifecycle.Step) -> Incident:
    store.keep(step.incident)
    store.add_changes(step.incident.incident_id, step.changes)
    return step.incident
