"""Corrections: numbered without a gap, about receipts that were there, each upon the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    proven = f"{count} corrections: none is missing, each changes what the one before it had set"
    return Link("corrections", proven, tuple(_faults(con)))


def _faults(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    for name, sentence in _SENTENCES.items():
        rows = con.execute(load("verify/corrections")[name]).fetchmany(SHOWN_FAULTS)
        yield from (sentence.format(*row) for row in rows)
