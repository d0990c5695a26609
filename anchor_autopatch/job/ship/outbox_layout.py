"""Which columns an outbox has, and its rows in the columns of today.

A version that only adds columns keeps the schema version: its files and ours can be read by either.
What a file lacks gets the value that its writer would have meant; what it has beyond our records is
left out. Checksums are those of the file, over all of its columns in its own order.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.outbox_format import MEANT_BEFORE, row_crc, select_rows
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from anchor_autopatch.core.destinations import Row
    from anchor_autopatch.core.records import ExceptionEvent, Receipt

_NAME = re.compile("[a-z][a-z0-9_]*")


class Layout(NamedTuple):
    """The columns of one table of one file."""

    select: str
    """Rows of (low, high], as the file has them: seq, its columns, crc."""
    places: tuple[int | None, ...] | None = None
    """For each field of the record its place in such a row; None = it lacks it, or all agree."""
    meant: tuple[object, ...] = ()
    """For each field the value where it is lacking."""

    def in_todays_columns(self, rows: list[Row]) -> list[Row]:
        """Rows of the file as rows of today, with a checksum over what they are now."""
        if self.places is None:
            return rows
        return [self._today(row) for row in rows]

    def _today(self, row: Row) -> Row:
        places = self.places or ()
        record = tuple(
            meant if place is None else row[place]
            for place, meant in zip(places, self.meant, strict=True)
        )
        seq = row[0]
        return (seq, *record, row_crc(seq, record)) if isinstance(seq, int) else (seq, *record, 0)


def read_layout(
    con: sqlite3.Connection, table: str, record: type[Receipt | ExceptionEvent]
) -> Layout | None:
    """The layout of a table; None when it is no table of an outbox."""
    names = [name for (name,) in con.execute(load("outbox")["columns"], {"table": table})]
    if names[:1] != ["seq"] or names[-1:] != ["crc"] or not all(map(_NAME.fullmatch, names)):
        return None
    columns = tuple(names[1:-1])
    select = select_rows(table, columns)
    if columns == record._fields:
        return Layout(select)
    return Layout(
        select,
        tuple(_place(columns, field) for field in record._fields),
        tuple(MEANT_BEFORE.get(field) for field in record._fields),
    )


def _place(columns: Iterable[str], field: str) -> int | None:
    # Place 0 of a row is seq.
    return {name: place for place, name in enumerate(columns, start=1)}.get(field)
