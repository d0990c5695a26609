"""What one try to tell a sink gave, and how it is kept."""

from __future__ import annotations

from typing import NamedTuple


class Attempt(NamedTuple):
    """One try, as it is kept in the chain of `incidents.db`."""

    delivery_key: str
    sink: str
    attempt: int
    """From 1 for each message."""
    at_us: int
    outcome: str
    """delivered | failed | refused (by us, before anything was sent)."""
    http_status: int | None
    latency_ms: int
    body_sha256: str
    """Of nothing where nothing was sent over HTTP."""
    error: str | None


class Outcome(NamedTuple):
    """What one try gave."""

    outcome: str
    http_status: int | None
    latency_ms: int
    body_sha256: str
    error: str | None
    retry_after_s: int = 0


def as_kept(key: str, sink: str, number: int, outcome: Outcome, now_us: int) -> Attempt:
    """The try as a row of the chain; `number` from 1 for each message."""
    return Attempt(
        delivery_key=key,
        sink=sink,
        attempt=number,
        at_us=now_us,
        outcome=outcome.outcome,
        http_status=outcome.http_status,
        latency_ms=outcome.latency_ms,
        body_sha256=outcome.body_sha256,
        error=outcome.error,
    )
