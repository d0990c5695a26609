"""Slack's incoming webhooks, and what speaks like them (Mattermost, Rocket.Chat, Discord's /slack).

`&`, `<` and `>` are escaped, the three characters that Slack's own markup is made of: no link, no
mention of a channel can come out of an exception's text
(https://api.slack.com/docs/message-formatting, read 2026-11).
"""

from __future__ import annotations

import json
from typing import Any

from anchor_autopatch.core.alerting.posting import Request

_SIGNS = {"critical": ":red_circle:", "error": ":large_orange_circle:", "warning": ":warning:"}
_LONGEST = 2_900
"""A text block takes 3,000 characters."""


def render(alert: dict[str, Any], url: str) -> Request:
    """The request that tells the alert as one message."""
    text = f"{_sign(alert)} {escape(headline(alert))}"
    blocks = [_section(f"*{text}*"), _section(escape("\n".join(lines(alert))))]
    body = json.dumps({"text": text, "blocks": blocks}, ensure_ascii=False).encode()
    # Slack has no idempotency: the key is told all the same, for what speaks like Slack.
    headers = {"Content-Type": "application/json", "Idempotency-Key": alert["key"]}
    return Request(url, headers, body)


def headline(alert: dict[str, Any]) -> str:
    """One line: what it is about, and what happened to it."""
    what = {"severity_up": "worse", "reminder": "still open"}.get(alert["kind"], alert["kind"])
    return f"[{alert['incident']['severity']}] {alert['title']} ({what})"


def lines(alert: dict[str, Any]) -> list[str]:
    """What a person wants to know next, one thing a line."""
    incident = alert["incident"]
    apps = [
        "/".join(filter(None, (app["team"], app["service"], app["environment"])))
        for app in alert["affected"]
    ]
    named = ", ".join(dict.fromkeys(filter(None, apps))) or "nobody said whose"
    told = [
        f"Incident {incident['incident_id']}, {incident['state']} since {incident['first_seen']}",
        f"{incident['event_count']} failed requests, {alert['affected_count']} affected: {named}",
    ]
    if incident["message"]:
        told.append(f"{incident['exception_type'] or 'Error'}: {incident['message']}")
    if incident["wasted_requests"]:
        told.append(f"{incident['wasted_requests']} of them were retries")
    if incident["resolve_reason"]:
        told.append(f"Over: {incident['resolve_reason']}")
    return told


def escape(text: str) -> str:
    """The text as data, not as markup; cut to what a block takes."""
    cut = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    return cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _sign(alert: dict[str, Any]) -> str:
    if alert["incident"]["state"] == "resolved":
        return ":white_check_mark:"
    return _SIGNS.get(alert["incident"]["severity"], ":information_source:")


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}
