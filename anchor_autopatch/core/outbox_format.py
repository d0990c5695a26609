"""The outbox file format.

One SQLite schema, one row checksum, shared by its writer and its readers.

A row's `seq` is the writer's gapless counter over both tables, so a reader sees loss; `crc` covers
every other column as SQLite returns it, so a reader sees rot (SQLite itself reported 1 of 4 bit
flips when measured).

A column that is added keeps the schema version: readers go by the columns that a file has. Only
what would mislead an older reader raises it. Schema history: 1 = first release.
"""

from __future__ import annotations

from marshal import dumps
from typing import Any
from zlib import crc32

from anchor_autopatch.core.records import ExceptionEvent, Receipt

SCHEMA_VERSION = 1

_INTEGERS = frozenset(
    (
        *("occurred_at_us", "duration_us", "http_status", "stream", "attempts", "retried"),
        *("billable", "occurrences"),
    )
)


def _columns(fields: tuple[str, ...]) -> str:
    return ",\n  ".join(f"{name} {'INTEGER' if name in _INTEGERS else 'TEXT'}" for name in fields)


def _table(name: str, fields: tuple[str, ...]) -> str:
    # SQLite's own row id under our name: one tree to write within the application's call, not two.
    columns = f"seq INTEGER PRIMARY KEY,\n  {_columns(fields)},\n  crc INTEGER"
    return f"CREATE TABLE {name} (\n  {columns}\n)"


def _insert(name: str, fields: tuple[str, ...]) -> str:
    columns = ", ".join(("seq", *fields, "crc"))
    marks = ", ".join("?" * (len(fields) + 2))
    return f"INSERT INTO {name} ({columns}) VALUES ({marks})"  # noqa: S608 - our own field names


def select_rows(name: str, fields: tuple[str, ...]) -> str:
    """The statement that reads the rows of (low, high] with these columns, by number."""
    # Quoted: a name that rotted into a word of SQL's is still the name of its column.
    columns = ", ".join(f'"{name}"' for name in ("seq", *fields, "crc"))
    return f"SELECT {columns} FROM {name} WHERE seq > ? AND seq <= ? ORDER BY seq"  # noqa: S608 - as above


# Built from the records, so that a field exists in exactly one place. Nothing of a caller's ever
# enters these texts.
CREATE_META = "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID"
CREATE_RECEIPT = _table("receipt", Receipt._fields)
CREATE_EVENT = _table("exception_event", ExceptionEvent._fields)
INSERT_RECEIPT = _insert("receipt", Receipt._fields)
INSERT_EVENT = _insert("exception_event", ExceptionEvent._fields)


def checksum(numbered: tuple[Any, ...]) -> int:
    """CRC-32 of (seq, *record) over marshal format 2: the same bytes on every supported Python."""
    return crc32(dumps(numbered, 2))


MEANT_BEFORE: dict[str, object] = {"retried": 0, "occurrences": 1}
"""What a row means by a field that its writer did not know yet; None where nothing is said."""


def row_format(receipt: tuple[str, ...], event: tuple[str, ...]) -> str:
    """Tells rows of these columns from rows of other versions, and names from rotten names."""
    return f"{checksum((*receipt, '/', *event)):08x}"


ROW_FORMAT = row_format(Receipt._fields, ExceptionEvent._fields)
"""Of the rows that this version writes; each outbox says its own in `meta`."""


def row_crc(seq: int, record: tuple[Any, ...]) -> int:
    """The checksum of a record under its number."""
    return checksum((seq, *record))


def intact(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Those rows, as SQLite returns them (seq, the record, crc), that still have their checksum."""
    # `checksum` written out: a job checks millions, and two calls a row cost as much as the CRC.
    return [row for row in rows if crc32(dumps(row[:-1], 2)) == row[-1]]
