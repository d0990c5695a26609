"""Takes over what a process has told of an incident, so that the job does not tell it again.

The process's message becomes one of the job's own, under its key and with its words, together with
what is known of its first try. What was not tried, because the process died, is due a moment later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.core.alerting.claims import LEASE_US
from anchor_autopatch.core.alerting.rules import wants
from anchor_autopatch.core.incidents import ACTIVE
from anchor_autopatch.job.delivery import queue
from anchor_autopatch.job.delivery.notices import told
from anchor_autopatch.job.delivery.schedule import next_try_us

if TYPE_CHECKING:
    from anchor_autopatch.core.alerting.rules import AlertRules
    from anchor_autopatch.job.incidents.claiming import Board
    from anchor_autopatch.job.incidents.records import Incident
    from anchor_autopatch.job.incidents.store import Store


def adopt(store: Store, board: Board, alerts: AlertRules, incident: Incident, now_us: int) -> None:
    """Commits what a process tells of a new incident as told, to its sinks and to all others."""
    if incident.notice_count or incident.state not in ACTIVE:
        return
    claim = board.told(incident, now_us)
    if claim is None or claim.alert is None:
        return
    # A process that is at work is left to it; a sink must not hear it twice within a second.
    due_us = claim.claimed_at_us + LEASE_US
    for name in claim.sinks:
        queue.enqueue(store.con, name, claim.alert, claim.claimed_at_us, due_us=due_us)
    for name in sorted(wanting(store, alerts, incident).difference(claim.sinks)):
        queue.enqueue(store.con, name, claim.alert, now_us)
    store.keep(told(incident, "opened", alerts.reminders, claim.claimed_at_us))


def note_tries(store: Store, board: Board) -> None:
    """Takes the tries of processes into the chain, for messages of which none is known."""
    untried = queue.untried(store.con)
    for fingerprint in sorted(set(untried.values())):
        for each in board.tries(fingerprint):
            if untried.get(each.delivery_key) != fingerprint:
                continue
            del untried[each.delivery_key]
            delivered = each.outcome == "delivered"
            again = None if delivered else next_try_us(each.delivery_key, 1, each.at_us)
            state = "delivered" if delivered else "pending"
            queue.note(store.con, each, state, again, each.at_us)


def wanting(store: Store, alerts: AlertRules, incident: Incident) -> set[str]:
    """Names of the sinks that are to be told of an incident."""
    affected = store.affected(incident.incident_id)
    teams = [app.team for app in affected]
    services = [app.service for app in affected]
    return {sink.name for sink in alerts.sinks if wants(sink, incident, teams, services)}
