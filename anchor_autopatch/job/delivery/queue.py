"""The messages of incidents.db: committed before they are sent, kept until they have arrived."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from anchor_autopatch.core.alerting.attempts import Attempt
from anchor_autopatch.core.sql_files import read_statements
from anchor_autopatch.job.chain import Chain, append, breaks

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection

ATTEMPTS = Chain(
    "delivery_attempt",
    (
        *("attempt_no", "delivery_key", "sink", "attempt", "at_us", "outcome"),
        *("http_status", "latency_ms", "body_sha256", "error"),
    ),
)


class Due(NamedTuple):
    """A message that is to be tried now."""

    delivery_key: str
    incident_id: str | None
    sink: str
    kind: str
    created_at_us: int
    attempts: int
    """Tries that failed so far."""
    alert: dict[str, Any]


class Delivery(NamedTuple):
    """A message and what became of it."""

    delivery_key: str
    incident_id: str | None
    sink: str
    kind: str
    state: str
    """pending | delivered | dead."""
    created_at_us: int
    attempts: int
    next_try_us: int | None
    ended_at_us: int | None
    last_error: str | None


@cache
def _sql() -> dict[str, str]:
    return read_statements("anchor_autopatch.job.delivery", "queue")


def enqueue(
    con: sqlite3.Connection,
    sink: str,
    alert: Mapping[str, Any],
    now_us: int,
    *,
    due_us: int | None = None,
) -> str:
    """Adds a message for a sink in the caller's transaction and returns its key; once only.

    It is due at once, or at `due_us`.
    """
    key = f"{alert['key']}:{sink}"
    con.execute(
        _sql()["enqueue"],
        {
            "delivery_key": key,
            "incident_id": None
            if alert["kind"] in ("test", "storm")
            else alert["incident"]["incident_id"],
            "sink": sink,
            "kind": alert["kind"],
            "created_at_us": now_us,
            "next_try_us": now_us if due_us is None else due_us,
            "alert": json.dumps(alert, ensure_ascii=False),
        },
    )
    return key


def due(con: sqlite3.Connection, now_us: int) -> list[Due]:
    """The oldest message of each sink, where its time has come: a sink hears things in order."""
    rows = con.execute(_sql()["due"], {"now_us": now_us}).fetchall()
    return [Due._make((*row[:-1], json.loads(row[-1]))) for row in rows]


def note(
    con: sqlite3.Connection, attempt: Attempt, state: str, next_try_us: int | None, now_us: int
) -> None:
    """Keeps a try and what it means for its message, in the caller's transaction."""
    # The helper asks for execute() alone, which both databases understand alike.
    append(cast("DuckDBPyConnection", con), ATTEMPTS, [attempt._asdict()])
    values = {"delivery_key": attempt.delivery_key, "error": attempt.error}
    if state == "pending":
        con.execute(_sql()["count_try"], {**values, "next_try_us": next_try_us})
    else:
        con.execute(_sql()["finish"], {**values, "state": state, "ended_at_us": now_us})


def sinks_told(con: sqlite3.Connection, incident_id: str) -> list[str]:
    """Sinks that were told of an incident, or are about to be."""
    return [sink for (sink,) in con.execute(_sql()["sinks_told"], {"incident_id": incident_id})]


def untried(con: sqlite3.Connection) -> dict[str, str]:
    """Messages of which no try is known: their key -> fingerprint of their incident."""
    return dict(con.execute(_sql()["untried"]).fetchall())


def next_try_us(con: sqlite3.Connection) -> int | None:
    """When the next message is to be tried; None when none waits."""
    found: tuple[int | None] = con.execute(_sql()["next_try"]).fetchone()
    return found[0]


def deliveries(con: sqlite3.Connection) -> list[Delivery]:
    """All messages, newest first."""
    return [Delivery(*row) for row in con.execute(_sql()["deliveries"])]


def attempts(con: sqlite3.Connection) -> list[Attempt]:
    """Every try, in order."""
    return [Attempt(*row[1:]) for row in con.execute(_sql()["attempts"])]


def chain_breaks(con: sqlite3.Connection) -> list[str]:
    """What is off in the chain of tries; [] when it holds."""
    return breaks(cast("DuckDBPyConnection", con), ATTEMPTS)
