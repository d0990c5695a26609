"""What a recording says that its receipts must be: how many are billable, and their raw usage."""

from __future__ import annotations

import json
from typing import NamedTuple
from urllib.parse import urlsplit

FREE = frozenset(
    (
        "conversations",
        "count_tokens",
        "file",
        "fine_tuning",
        "models",
        "moderation",
        "usage_api",
        "vector_store",
    )
)
"""Kinds that cost nothing when they are called, or are billed by storage and time."""
TERMINAL = frozenset(
    ("cancelled", "canceled", "completed", "done", "ended", "expired", "failed", "incomplete")
)


class Expected(NamedTuple):
    """What one exchange must leave, given those before it."""

    fewest: int
    most: int
    usage: object
    """The raw usage of its billable receipt; None where the recording has none."""
    object_id: str | None = None
    """What the receipt bills, where that was submitted by another exchange."""


NOTHING = Expected(0, 0, None)


def expect(exchanges):
    """Exchange id -> Expected; an object polled several times is billed at its first end."""
    settled = set()
    return {exchange["id"]: _expected(exchange, settled) for exchange in exchanges}


def _expected(exchange, settled):  # noqa: PLR0911 - one for each kind of exchange
    kind, usage = exchange["endpoint_kind"], raw_usage(exchange)
    if exchange["error"] and not usage:
        # An error inside of a stream may come after output that is billed.
        return Expected(0, 1 if exchange["status"] < 400 else 0, None)
    if kind in FREE:
        return NOTHING
    if urlsplit(exchange["url"]).path.endswith("/results"):
        results = exchange["response_body"].count('"usage":{')
        return Expected(results, results, usage)
    polled = polled_object(exchange)
    if polled is not None:
        if polled.status not in TERMINAL or not usage or polled.id in settled:
            return NOTHING
        settled.add(polled.id)
        return Expected(1, 1, usage, polled.id)
    if exchange["method"] != "POST":
        return NOTHING
    return Expected(1, 1, usage)


class Polled(NamedTuple):
    """An object that the provider works on after the request: billed once, at its end."""

    id: str
    status: str | None


def polled_object(exchange):
    """The object that this exchange starts, polls or ends; None for an ordinary call."""
    body = _json(exchange["response_body"])
    if exchange["endpoint_kind"] == "assistants" and exchange["stream"]:
        return Polled(exchange["id"], "completed")
    if exchange["endpoint_kind"] in ("batch", "assistants", "video"):
        path = urlsplit(exchange["url"]).path
        return Polled(body.get("id") or path, body.get("status") or body.get("processing_status"))
    if body.get("object") in ("response", "interaction") and body.get("status") not in (
        None,
        "completed",
        "failed",
        "incomplete",
    ):
        return Polled(body["id"], body["status"])
    if exchange["endpoint_kind"] == "responses_retrieve" and exchange["method"] == "GET":
        return Polled(
            body.get("id", exchange["id"]),
            body.get("status") or exchange["has_usage"] * "completed",
        )
    return None


def raw_usage(exchange):
    """The last usage object; over the first one in Anthropic's streams, which tells the input."""
    usage = exchange["usage"]
    if exchange["endpoint_kind"] == "messages" and exchange["stream"] and exchange["usage_first"]:
        later = {name: value for name, value in (usage or {}).items() if value is not None}
        return {**exchange["usage_first"], **later}
    return usage


def _json(text):
    try:
        body = json.loads(text or "{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
