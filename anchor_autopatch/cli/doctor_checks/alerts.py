"""Whether anybody looks for incidents here, and whether its heartbeat arrives."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from anchor_autopatch.cli.doctor_checks.finding import NOTE, OK, PROBLEM, Finding
from anchor_autopatch.core import settings
from anchor_autopatch.core.sql_files import read_statements

_FILE = "incidents.db"
_SUBJECT = "incidents"
_LOOKED_WITHIN = 2 * 86_400
_HOUR, _MINUTE = 3_600, 60


def check(now: float) -> Iterator[Finding]:
    """The last round of `anchor watch` or `anchor reconcile`; `now` in seconds since 1970."""
    path = Path(settings.home()) / _FILE
    seen = _seen(path) if path.exists() else {}
    if "round" not in seen:
        if os.environ.get("ANCHOR_ALERT_URL"):
            text = "processes tell of new incidents, and no job retries or ends them: anchor watch"
            yield Finding(_SUBJECT, NOTE, text)
        return
    at, error = seen["round"]
    ago = now - at
    text = f"looked for {_ago(ago)} ago" + (f"; {error}" if error else "")
    late = ago > _LOOKED_WITHIN
    yield Finding(
        _SUBJECT,
        PROBLEM if late else NOTE if error else OK,
        text + ("; start anchor watch, or put anchor reconcile into cron" if late else ""),
    )
    if "ping" in seen:
        at, error = seen["ping"]
        told = f"failed {_ago(now - at)} ago: {error}" if error else f"told {_ago(now - at)} ago"
        yield Finding("heartbeat", PROBLEM if error else OK, told)


def _seen(path: Path) -> dict[str, tuple[float, str | None]]:
    seen = read_statements("anchor_autopatch.cli.doctor_checks", "alerts")["seen"]
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as con:
            rows = con.execute(seen).fetchall()
    except sqlite3.Error:
        # Of an earlier version, or damaged: `anchor verify` tells.
        return {}
    return {name: (at_us / 1_000_000, error) for name, at_us, error in rows}


def _ago(seconds: float) -> str:
    if seconds < 2 * _MINUTE:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.0f} h"
