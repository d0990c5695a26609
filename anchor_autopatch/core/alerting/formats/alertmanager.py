"""Prometheus Alertmanager (https://prometheus.io/docs/alerting/latest/alerts_api, read 2026-11).

Labels are the identity there, so they hold only what stays the same for the life of an incident;
what changes goes into annotations. Alertmanager forgets an alert that is not sent again after its
`resolve_timeout`; an open one is therefore given an end far away.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from anchor_autopatch.core.alerting.posting import Request

_OPEN_FOR = timedelta(days=8)
"""Longer than the longest time between two reminders and 72 hours of a sink that is down."""


def render(alert: dict[str, Any], url: str) -> Request:
    """The request that fires or ends the alert."""
    incident = alert["incident"]
    labels = {
        "alertname": f"anchor_{incident['class']}",
        "incident_id": incident["incident_id"],
        "provider": incident["provider"],
        "dependency": incident["dependency"],
        "model": incident["model"],
    }
    told = datetime.fromisoformat(alert["told_at"])
    fired = {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {
            "summary": alert["title"],
            "severity": incident["severity"],
            "event_count": str(incident["event_count"]),
            "affected_count": str(alert["affected_count"]),
        },
        "startsAt": incident["first_seen"],
        "endsAt": incident["resolved_at"] or (told + _OPEN_FOR).isoformat(),
    }
    address = url.rstrip("/")
    if not urlsplit(address).path:
        address += "/api/v2/alerts"
    headers = {"Content-Type": "application/json", "Idempotency-Key": alert["key"]}
    return Request(address, headers, json.dumps([fired], ensure_ascii=False).encode())
