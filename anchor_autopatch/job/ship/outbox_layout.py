"""Which columns an outbox has, and its rows in the columns of today.

A version that only adds columns keeps the schema version: its files and ours can be read by either.
What a file lacks gets the value that its writer would have meant; what it has beyond our records is
left out. Checksums are those of the file, over all of its columns in its own order.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.outbox_format import (
    MEANT_BEFORE,
    ROW_FORMAT,
    row_crc,
    row_format,
    select_rows,
)
from anchor_autopatch.core.records import ExceptionEvent, Receipt
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from anchor_autopatch.core.destinations import Row

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


def read_layouts(con: sqlite3.Connection, said: str | None) -> tuple[Layout, Layout] | None:
    """The layouts of receipts and exception events; None when these are no tables of an outbox.

    The names of columns are text in the file like any other, and no row's checksum covers them: a
    rotten `raw_usage` would be a column of some other version, and every usage a missing one.

    Args:
        con: the open file.
        said: the row format that its writer noted; None = a writer that noted none.
    """
    receipt, event = _columns(con, "receipt"), _columns(con, "exception_event")
    if receipt is None or event is None:
        return None
    found = row_format(receipt, event)
    if said in {None, found} or found == ROW_FORMAT:
        if not all(map(_NAME.fullmatch, (*receipt, *event))):
            return None
        return _by_name("receipt", receipt, Receipt), _by_name(
            "exception_event", event, ExceptionEvent
        )
    todays = len(Receipt._fields), len(ExceptionEvent._fields)
    if said == ROW_FORMAT and (len(receipt), len(event)) == todays:
        # Rows lie in the order of the columns, which is known, whatever their names have become.
        return Layout(select_rows("receipt", receipt)), Layout(
            select_rows("exception_event", event)
        )
    return None


def _columns(con: sqlite3.Connection, table: str) -> tuple[str, ...] | None:
    """Names between `seq` and `crc`; None when the table has no such frame."""
    names = [name for (name,) in con.execute(load("outbox")["columns"], {"table": table})]
    if names[:1] != ["seq"] or names[-1:] != ["crc"] or '"' in "".join(names):
        return None
    return tuple(names[1:-1])


def _by_name(
    table: str, columns: tuple[str, ...], record: type[Receipt | ExceptionEvent]
) -> Layout:
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
