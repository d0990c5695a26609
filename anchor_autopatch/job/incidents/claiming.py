"""What processes told of before the job saw it: their claims, and the messages that they sent.

The job claims as well, so that a process which comes later finds the incident known and keeps
quiet. A claim that cannot be read or written is no reason not to count and to tell.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from anchor_autopatch.core.alerting.claims import SILENCES, Claim, Claims
from anchor_autopatch.core.incidents import ACTIVE, AT_ONCE, DAY_US, RESOLVED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anchor_autopatch.core.alerting.attempts import Attempt
    from anchor_autopatch.job.incidents.grouping import Group
    from anchor_autopatch.job.incidents.records import Incident
    from anchor_autopatch.job.incidents.rules import IncidentRules
    from anchor_autopatch.job.incidents.store import Store

_KEPT_US = 3 * DAY_US
"""A claim on an incident that goes on; renewed while a third of it is over."""


class Board:
    """The claims of the homes whose outboxes are looked into; none of them is a board, too."""

    def __init__(self, homes: Sequence[Path] = ()) -> None:
        self._homes = [Claims(str(home)) for home in homes]

    def id_of(self, store: Store, found: Group, now_us: int) -> str:
        """The id of the incident that these events begin: a process's word, else a new one."""
        # Random: two homes that meet the same outage make two incidents, never one by chance.
        fresh = secrets.token_hex(8)
        if found.first.event_class not in AT_ONCE:
            return fresh
        claim = Claim(found.fingerprint, fresh, now_us, now_us + _KEPT_US)
        for claims in self._homes:
            with suppress(OSError):
                held = claims.take(claim)
                if store.incident(held.incident_id) is None:
                    claim = claim._replace(incident_id=held.incident_id)
        return claim.incident_id

    def told(self, incident: Incident, now_us: int) -> Claim | None:
        """What a process tells of this incident; None when none has claimed it."""
        for claims in self._homes:
            with suppress(OSError):
                held = claims.find(incident.fingerprint, now_us)
                if held is not None and held.alert and held.incident_id == incident.incident_id:
                    return held
        return None

    def tries(self, fingerprint: str) -> list[Attempt]:
        """What became of the messages that processes sent about this cause."""
        found: list[Attempt] = []
        for claims in self._homes:
            with suppress(OSError):
                found += claims.tries(fingerprint)
        return found

    def settle(self, store: Store, rules: IncidentRules, now_us: int) -> None:
        """Renews the claims of what goes on, lets go of what is over, and makes those that lack."""
        unclaimed = {
            each.fingerprint: each
            for each in store.unsettled()
            if each.state in ACTIVE and each.event_class in AT_ONCE
        }
        for claims in self._homes:
            with suppress(OSError):
                held = {claim.fingerprint: claim for claim in claims.all()}
                for claim in held.values():
                    known = store.latest(claim.fingerprint)
                    _renew(claims, claim, known, rules, now_us)
                for incident in unclaimed.values():
                    if incident.fingerprint not in held:
                        claims.keep(_own(incident, now_us))

    def silence(self, store: Store, now_us: int) -> None:
        """Tells processes what nobody is to be told of now."""
        going_on = [each._asdict() for each in store.silences() if each.until_us > now_us]
        for claims in self._homes:
            with suppress(OSError):
                if (claims.get(SILENCES) or []) != going_on:
                    claims.put(SILENCES, going_on)


def _renew(
    claims: Claims, claim: Claim, known: Incident | None, rules: IncidentRules, now_us: int
) -> None:
    if known is None:
        # Its failure is not seen yet. After days it never will be: somebody removed the outbox.
        if claim.expires_at_us + _KEPT_US < now_us:
            claims.drop(claim.fingerprint)
        return
    if known.state == RESOLVED and known.resolved_at_us is not None:
        # As long as a failure would open it again, that is the job's to tell.
        until = known.resolved_at_us + rules.reopen_us
        if until <= now_us and claim.incident_id == known.incident_id:
            claims.drop(claim.fingerprint)
        elif until > now_us and claim.expires_at_us != until:
            claims.keep(claim._replace(incident_id=known.incident_id, expires_at_us=until))
    elif known.state in ACTIVE and claim.incident_id != known.incident_id:
        claims.keep(_own(known, now_us))
    elif known.state in ACTIVE and claim.expires_at_us < now_us + 2 * DAY_US:
        claims.keep(claim._replace(expires_at_us=now_us + _KEPT_US))


def _own(incident: Incident, now_us: int) -> Claim:
    return Claim(
        incident.fingerprint, incident.incident_id, incident.opened_at_us, now_us + _KEPT_US
    )
