"""The dead-man's switch: says outside that all is well, so that its silence tells somebody else.

An alert cannot tell that alerts are broken. After each round that went well the job pings the URL
of `[alerts.heartbeat]`; a service that expects the ping raises the alarm when none comes. A round
went well when it came to its end and no message has waited too long for its sink.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.alerting.addresses import look_at, resolve
from anchor_autopatch.core.alerting.posting import Request, post
from anchor_autopatch.core.alerting.sending import attempt
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.incidents import MINUTE_US
from anchor_autopatch.core.sql_files import read_statements
from anchor_autopatch.job.clock import to_micros

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from anchor_autopatch.core.alerting.addresses import Resolver
    from anchor_autopatch.core.alerting.posting import Answer
    from anchor_autopatch.core.alerting.rules import Heartbeat
    from anchor_autopatch.job.incidents.store import Store

ROUND, PING = "round", "ping"
_WAITED_US = 15 * MINUTE_US
"""A sink that was away for less is none of an outsider's business."""


class Seen(NamedTuple):
    """When something was last done."""

    at_us: int
    error: str | None
    """Why it did not go well; None when it did."""


@cache
def _sql() -> dict[str, str]:
    return read_statements("anchor_autopatch.job.delivery", "queue")


def note_round(
    store: Store,
    heartbeat: Heartbeat | None,
    environ: Mapping[str, str],
    now: datetime,
    resolver: Resolver = resolve,
) -> None:
    """Notes that a round has come to its end, and tells so outside when that is due.

    Args:
        store: Open incidents.db.
        heartbeat: Where and how often; None tells nobody.
        environ: Holds the URL.
        now: Aware.
        resolver: Says the addresses of a name.
    """
    now_us = to_micros(now)
    late = _is_late(store.con, now_us)
    _keep(store, ROUND, Seen(now_us, "messages wait for their sink" if late else None))
    last = seen(store.con).get(PING)
    if heartbeat is None or late:
        return
    # One that failed is tried again in the next round: the listener may be waiting already.
    if last is not None and last.error is None and now_us - last.at_us < heartbeat.every_us:
        return
    outcome = attempt(lambda: _ping(heartbeat, environ, resolver))
    _keep(store, PING, Seen(now_us, outcome.error))


def seen(con: sqlite3.Connection) -> dict[str, Seen]:
    """What is known of rounds and pings, by name; empty in a file of an earlier version."""
    try:
        rows = con.execute(_sql()["seen"]).fetchall()
    except sqlite3.OperationalError:
        return {}
    return {name: Seen(at_us, error) for name, at_us, error in rows}


def _is_late(con: sqlite3.Connection, now_us: int) -> bool:
    (since,) = con.execute(_sql()["waiting_since"]).fetchone()
    return since is not None and now_us - since > _WAITED_US


def _ping(
    heartbeat: Heartbeat, environ: Mapping[str, str], resolver: Resolver
) -> tuple[Answer, bytes]:
    url = environ.get(heartbeat.url_env)
    if not url:
        raise ConfigError(f"Variable {heartbeat.url_env} of [alerts.heartbeat] is not set")
    target = look_at(url, allow_private=heartbeat.allow_private, resolver=resolver)
    headers = {"User-Agent": "anchor-autopatch"}
    return post(target, Request(url, headers, b"")), b""


def _keep(store: Store, name: str, done: Seen) -> None:
    with store.transaction():
        store.con.execute(_sql()["keep_seen"], {"name": name, **done._asdict()})
