"""What is told of an incident: the neutral document that every kind of sink renders; pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from anchor_autopatch.core.incidents import RESOLVED, Affected, Incident, rank

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = 1
"""Of the document; fields may be added to it under the same number."""
_NAMED_APPS = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_TITLES = {
    "billing_exhausted": "{what}: money or quota is used up",
    "rate_limited": "{what} limits the rate of requests",
    "quota_daily": "{what}: the quota of the day is used up",
    "provider_overloaded": "{what} is overloaded",
    "provider_5xx": "{what} answers with errors of its own",
    "timeout": "{what} does not answer in time",
    "network": "{what} cannot be reached",
    "auth": "{what} refuses the key",
    "model_gone": "{what} does not know {model}",
    "bad_request": "{what} refuses requests of {service}",
    "partial_stream": "Streams of {what} break off",
    "attribution_required": "Calls of {service} are refused: nobody said who they are for",
    "app_error": "{exception_type} in {service}",
    "dependency_error": "{what} answers that it cannot serve",
    "internal": "Capture itself failed: {exception_type}",
    "budget_threshold": "Budget {code}",
    "budget_exceeded": "Budget used up: {code}",
    "budget_burn": "Budget burns fast: {code}",
    "budget_pace": "Budget will not last the month: {code}",
    "spend_anomaly": "{service} costs far more than usual",
    "retry_storm": "{service} sends too much to {what} again after {code}",
    "unpriced_model": "Nobody knows what {model} of {what} costs",
    "useless_retry": "{service} retries {code} of {what}, which no retry mends",
}


def document(
    incident: Incident, affected: Sequence[Affected], kind: str, key: str, now_us: int
) -> dict[str, Any]:
    """The alert as plain values; texts of the application are scrubbed, and never markup.

    Args:
        incident: As it is now.
        affected: Whom it hit.
        kind: opened | reopened | severity_up | update | reminder | acknowledged | resolved.
        key: The idempotency key, the same on every try.
        now_us: When it was decided to tell.
    """
    return {
        "version": VERSION,
        "key": key,
        "kind": kind,
        "told_at": iso(now_us),
        "title": title(incident),
        "incident": {
            "incident_id": incident.incident_id,
            "class": incident.event_class,
            "severity": incident.severity,
            "state": incident.state,
            **cause(incident),
            "first_seen": iso(incident.first_seen_us),
            "last_seen": iso(incident.last_seen_us),
            "resolved_at": None
            if incident.resolved_at_us is None
            else iso(incident.resolved_at_us),
            "resolve_reason": incident.resolve_reason,
            "acknowledged_by": incident.ack_by,
            "event_count": incident.event_count,
            "wasted_requests": incident.wasted_requests,
        },
        "affected": [
            {
                "team": app.team or None,
                "service": app.service or None,
                "environment": app.environment or None,
                "model": app.model or None,
                "event_count": app.event_count,
            }
            for app in affected[:_NAMED_APPS]
        ],
        "affected_count": len({(app.team, app.service, app.environment) for app in affected}),
    }


def cause(incident: Incident) -> dict[str, str | None]:
    """What failed, as messages and commands tell it alike."""
    return {
        "provider": incident.provider,
        "dependency": incident.dependency,
        "model": incident.model,
        "code": incident.code,
        "exception_type": incident.exception_type,
        "message": incident.message,
        "call_site": incident.call_site,
    }


def storm_document(incidents: Sequence[Incident], key: str, now_us: int) -> dict[str, Any]:
    """An alert about many incidents that opened together, at least one."""
    worst = max(incidents, key=lambda each: rank(each.severity))
    first = min(each.first_seen_us for each in incidents)
    named = "\n".join(f"{each.incident_id} {title(each)}" for each in incidents[:_NAMED_APPS])
    stands_for_all = worst._replace(
        incident_id=key,
        event_class="storm",
        provider=None,
        dependency="anchor",
        exception_type=f"{len(incidents)} incidents",
        message=named,
        first_seen_us=first,
        event_count=sum(each.event_count for each in incidents),
        wasted_requests=sum(each.wasted_requests for each in incidents),
    )
    made = document(stands_for_all, [], "storm", key, now_us)
    return {**made, "title": f"{len(incidents)} more incidents opened within a minute"}


def trial_document(key: str, now_us: int) -> dict[str, Any]:
    """An alert about nothing, that proves that a sink is told."""
    nothing = Incident(
        incident_id=key,
        fingerprint="",
        event_class="test",
        provider=None,
        dependency="anchor",
        model=None,
        code=None,
        exception_type=None,
        message="If you can read this, alerts arrive here.",
        call_site=None,
        service=None,
        severity="info",
        state="resolved",
        first_seen_us=now_us,
        last_seen_us=now_us,
        event_count=0,
        call_count=0,
        wasted_requests=0,
        opened_at_us=now_us,
        resolved_at_us=now_us,
    )
    made = document(nothing, [], "test", key, now_us)
    # No incident of the table: nothing else will ever be told of it.
    return {**made, "title": "Test of anchor alerts"}


def title(incident: Incident) -> str:
    """One line that says what is wrong, without data of a single request."""
    text = _TITLES.get(incident.event_class, "{what}: {event_class}")
    return text.format(
        what=incident.provider or incident.dependency or "a dependency",
        model=incident.model or "the model",
        service=incident.service or "a service without a name",
        code=incident.code or "",
        exception_type=incident.exception_type or "an error",
        event_class=incident.event_class,
    )


def iso(instant_us: int) -> str:
    """ISO 8601, UTC, to the millisecond."""
    instant = _EPOCH + timedelta(microseconds=instant_us)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_end(alert: dict[str, Any]) -> bool:
    """Whether the alert says that it is over."""
    return bool(alert["incident"]["state"] == RESOLVED)
