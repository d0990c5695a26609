"""Incidents: counts are those of their events, tries are as they were written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from anchor_autopatch.core.sql_files import read_statements
from anchor_autopatch.job.delivery.queue import chain_breaks
from anchor_autopatch.job.incidents.store import FILE_NAME
from anchor_autopatch.job.verify.link import SHOWN_FAULTS, Link

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def check_alerts(home: Path) -> Link:
    """incidents.db is consistent in itself; it is only read."""
    path = home / FILE_NAME
    if not path.exists():
        return Link("incidents", "nobody has looked for incidents yet", ())
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as con:
            faults = tuple(_faults(con))
            sums = con.execute(_store()["sums"]).fetchone()
    except sqlite3.Error as error:
        mend = "if this version is new here, run anchor reconcile first"
        return Link("incidents", "", (f"{str(path)!r} cannot be read: {error}; {mend}",))
    proven = (
        f"{sums[0]} incidents count their {sums[1]} events; {sums[2]} tries to tell of them are "
        "as they were written"
    )
    return Link("incidents", proven, faults)


def _faults(con: sqlite3.Connection) -> Iterator[str]:
    yield from chain_breaks(con)
    for incident_id, count, events, of_apps in con.execute(_store()["miscounted"]).fetchmany(
        SHOWN_FAULTS
    ):
        yield (
            f"incident {incident_id} counts {count} events, has {events}, "
            f"and {of_apps} by application"
        )
    unproven = read_statements("anchor_autopatch.job.delivery", "queue")["unproven"]
    for (key,) in con.execute(unproven).fetchmany(SHOWN_FAULTS):
        yield f"message {key} is noted as delivered, and no try says so"


def _store() -> dict[str, str]:
    return read_statements("anchor_autopatch.job.incidents", "store")
