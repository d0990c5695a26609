"""Claims a new incident for this host and sends the first message about it, once to each sink.

The claim comes before the first byte, and what became of the message is written beside it: whoever
dies on the way leaves the rest to the job, which sends under the same key.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from anchor_autopatch.core import settings
from anchor_autopatch.core.alerting.attempts import as_kept
from anchor_autopatch.core.alerting.claims import LEASE_US, LIFE_US, SILENCES, Claim, Claims
from anchor_autopatch.core.alerting.documents import document
from anchor_autopatch.core.alerting.posting import BUDGET_SECONDS
from anchor_autopatch.core.alerting.rules import AlertRules, Sink, read_rules, wants
from anchor_autopatch.core.alerting.sending import Channel, attempt
from anchor_autopatch.core.alerting.silences import silenced
from anchor_autopatch.core.crash_points import reached
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.incidents import AT_ONCE, OPEN, Affected, Incident, Silence, begun_by
from anchor_autopatch.host import configuration

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from anchor_autopatch.core.records import ExceptionEvent

_LAST_START_US = LEASE_US - 2 * int(BUDGET_SECONDS * 1_000_000)
"""A try that begins later might still be under way when the job takes over."""


def tell(cause: str, event: ExceptionEvent, steady: AbstractContextManager[Any]) -> None:
    """Tells of the event, unless another process, the job or a silence stands against it.

    Args:
        cause: Fingerprint of the event.
        event: Committed already, of a class that is told at its first occurrence.
        steady: Held while files are changed, so that no child is forked with a lock in its hands.
    """
    reached("alert.telling")
    now_us = _now_us()
    incident = begun_by(event, cause, os.urandom(8).hex(), now_us)
    incident = incident._replace(state=OPEN, severity=AT_ONCE[event.event_class])
    sinks = _sinks(incident, event)
    if not sinks:
        return
    claims = Claims(settings.home())
    try:
        with steady:
            mine = _claim(claims, incident, event, sinks)
    except OSError:
        # Too many at once, a full disk, a folder of somebody else's: the job will tell.
        return
    if mine is None:
        return
    reached("alert.claimed")
    for sink in sinks:
        if _now_us() - mine.claimed_at_us > _LAST_START_US:
            return
        _send(claims, mine, sink)


def _claim(
    claims: Claims, incident: Incident, event: ExceptionEvent, sinks: list[Sink]
) -> Claim | None:
    """The claim on the incident; None when it is another's, or nobody is to be told now."""
    if silenced(incident, _silences(claims), incident.opened_at_us):
        return None
    wanted = Claim(
        incident.fingerprint,
        incident.incident_id,
        incident.opened_at_us,
        incident.opened_at_us + LIFE_US,
        tuple(sink.name for sink in sinks),
        document(
            incident,
            [_affected(incident, event)],
            "opened",
            f"{incident.incident_id}:1",
            incident.opened_at_us,
        ),
    )
    holds = claims.take(wanted)
    return wanted if holds.incident_id == incident.incident_id else None


def _send(claims: Claims, claim: Claim, sink: Sink) -> None:
    key = f"{claim.incident_id}:1:{sink.name}"
    alert = {**(claim.alert or {}), "key": key}
    channel = Channel(os.environ)
    now_us = _now_us()
    outcome = attempt(lambda: channel.post(sink, alert, now_us // 1_000_000))
    claims.note(claim.fingerprint, as_kept(key, sink.name, 1, outcome, now_us))
    reached("alert.noted")


def _sinks(incident: Incident, event: ExceptionEvent) -> list[Sink]:
    """Who is to be told by this process: not by mail, and not where it lacks the secret."""
    return [
        sink
        for sink in _rules().sinks
        if sink.kind != "smtp"
        and all(os.environ.get(name) for name in (sink.url_env, sink.secret_env) if name)
        and wants(sink, incident, [event.team or ""], [event.service or ""])
    ]


def _rules() -> AlertRules:
    try:
        return read_rules({"alerts": configuration.table("alerts")}, os.environ)
    except ConfigError:
        # `anchor policy check` says what is wrong there; the operator's own URL is told all the
        # same.
        return read_rules({}, os.environ)


def _silences(claims: Claims) -> list[Silence]:
    found = claims.get(SILENCES)
    try:
        return [Silence(**each) for each in found] if isinstance(found, list) else []
    except TypeError:
        return []


def _affected(incident: Incident, event: ExceptionEvent) -> Affected:
    return Affected(
        incident.incident_id,
        event.team or "",
        event.service or "",
        event.environment or "",
        event.request_model or "",
        1,
        event.occurred_at_us,
        event.occurred_at_us,
    )


def _now_us() -> int:
    return time.time_ns() // 1000
