"""PagerDuty's Events API v2 (https://developer.pagerduty.com/docs/events-api-v2-overview).

`dedup_key` is the incident: whatever is told of it lands in one PagerDuty alert, however often it
is sent.
"""

from __future__ import annotations

import json
from typing import Any

from anchor_autopatch.core.alerting.posting import Request

_ACTIONS = {"resolved": "resolve", "acknowledged": "acknowledge"}
_SUMMARY_LIMIT = 1_024


def render(alert: dict[str, Any], url: str, routing_key: str) -> Request:
    """The request that triggers, acknowledges or resolves."""
    incident = alert["incident"]
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": _ACTIONS.get(alert["kind"], "trigger"),
        "dedup_key": f"anchor-{incident['incident_id']}",
    }
    if event["event_action"] == "trigger":
        event["payload"] = {
            "summary": alert["title"][:_SUMMARY_LIMIT],
            "source": incident["dependency"] or incident["provider"] or "anchor",
            "severity": incident["severity"],
            "timestamp": incident["first_seen"],
            "component": incident["provider"] or incident["dependency"],
            "class": incident["class"],
            "custom_details": {**incident, "affected": alert["affected"]},
        }
    headers = {"Content-Type": "application/json", "Idempotency-Key": alert["key"]}
    return Request(url, headers, json.dumps(event, ensure_ascii=False).encode())
