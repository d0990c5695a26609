"""Corrections: vouched for by a chain of decisions, about receipts that were there, in order."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from anchor_autopatch.job.chain import CORRECTIONS, breaks, head
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.verify.link import SHOWN_FAULTS, Link

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_SENTENCES = {
    "numbers": "correction {0} is there {1} times, not once",
    "receipts": "correction {0} is about receipt {1}, which was never there",
    "values": "correction {0} of receipt {1}: {2} was {4!r} when it was written, it says {3!r}",
}


def check_corrections(con: duckdb.DuckDBPyConnection) -> Link:
    """What people said later about receipts is all there, in the order that they said it."""
    count = con.execute(load("verify/corrections")["total"]).fetchall()[0][0]
    decisions = head(con, CORRECTIONS).row_count
    proven = (
        f"{count} corrections of {decisions} decisions: none is missing, none was changed, each "
        "changes what the one before it had set"
    )
    return Link("corrections", proven, tuple(_faults(con)))


def _faults(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    for name, sentence in _SENTENCES.items():
        rows = con.execute(load("verify/corrections")[name]).fetchmany(SHOWN_FAULTS)
        yield from (sentence.format(*row) for row in rows)
    yield from breaks(con, CORRECTIONS)
    yield from islice(_broken_decisions(con), SHOWN_FAULTS)


def _broken_decisions(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Decisions whose entries are others than it vouched for, and entries of no decision.

    Numbers alone do not show a cut-off end: without the last entries the rest has no gap.
    """
    sql = load("verify/corrections")
    found = {
        row[0]: tuple(row[1:])
        for row in con.execute(sql["digests"], {"correction_id": None}).fetchall()
    }
    for correction_id, first, last, digest in con.execute(sql["decisions"]).fetchall():
        entries = found.pop(correction_id, None)
        if entries is None:
            yield f"decision {correction_id} has lost its corrections {first} to {last}"
        elif entries != (first, last, digest):
            yield f"corrections {first} to {last} are not what decision {correction_id} wrote"
    for correction_id, (first, last, _) in found.items():
        yield f"corrections {first} to {last} are of no decision: {correction_id} is not there"
