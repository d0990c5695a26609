"""Outboxes of other versions, mixed on one host: what both know is read, the rest is no damage."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from datetime import UTC, datetime

import pytest

from anchor_autopatch.core import outbox_format
from anchor_autopatch.core.records import ExceptionEvent, Receipt
from anchor_autopatch.job.ship import ship
from anchor_autopatch.job.verify import verify
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.outboxes import event, left_behind, receipt

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def write_outbox(home, columns, rows, version=outbox_format.SCHEMA_VERSION):
    """An outbox with these columns, table -> names; rows are (table, {name: value})."""
    folder = home / "outbox"
    folder.mkdir(mode=0o700, exist_ok=True)
    con = sqlite3.connect(folder / "other.db", isolation_level=None)
    con.execute(outbox_format.CREATE_META)
    con.execute("INSERT INTO meta VALUES ('outbox_id', 'other'), ('schema_version', ?)", (version,))
    for table, names in columns.items():
        con.execute(f"CREATE TABLE {table} (seq INTEGER PRIMARY KEY, {', '.join(names)}, crc)")
    for seq, (table, fields) in enumerate(rows, start=1):
        row = tuple(fields.get(name) for name in columns[table])
        marks = ", ".join("?" * (len(row) + 2))
        crc = outbox_format.row_crc(seq, row)
        con.execute(f"INSERT INTO {table} VALUES ({marks})", (seq, *row, crc))
    con.close()
    return folder / "other.db"


def without(record, *names):
    return tuple(name for name in record._fields if name not in names)


OLDER = {
    "receipt": without(Receipt, "price_facts", "parent_receipt_id"),
    "exception_event": without(ExceptionEvent, "retried"),
}
NEWER = {
    "receipt": (*Receipt._fields[:5], "mood", *Receipt._fields[5:]),
    "exception_event": (*ExceptionEvent._fields, "weather"),
}


@pytest.mark.parametrize("columns", [OLDER, NEWER], ids=["older", "newer"])
def test_rows_of_another_version_arrive(con, tmp_path, columns):
    rows = [("receipt", receipt(1)._asdict()), ("exception_event", event(2)._asdict())]
    write_outbox(tmp_path, columns, rows)

    report = ship(con, [tmp_path], NOW)

    assert (report.receipts, report.events, report.findings) == (1, 1, [])
    assert con.execute("SELECT receipt_id, service, parent_receipt_id FROM receipt").fetchall() == [
        ("receipt-000001", "chatbot", None)
    ]
    assert con.execute("SELECT event_id, retried FROM exception_event").fetchall() == [
        ("event-000002", False)
    ]


def test_versions_side_by_side_are_both_proven(con, tmp_path):
    write_outbox(tmp_path, OLDER, [("receipt", receipt(1)._asdict())])
    left_behind(tmp_path, receipt(2))

    ship(con, [tmp_path], NOW)

    shipments = next(link for link in verify(con, [tmp_path]).links if link.name == "shipments")
    assert shipments.faults == ()


def test_rot_in_an_older_file_is_still_seen(con, tmp_path):
    path = write_outbox(tmp_path, OLDER, [("receipt", receipt(n)._asdict()) for n in (1, 2)])
    with sqlite3.connect(path) as outbox:
        outbox.execute("UPDATE receipt SET team = 'x' WHERE seq = 1")

    report = ship(con, [tmp_path], NOW)

    assert (report.receipts, report.corrupt) == (1, 1)


def test_live_file_of_another_version_goes_on_from_its_watermark(con, tmp_path):
    path = write_outbox(tmp_path, OLDER, [("receipt", receipt(n)._asdict()) for n in (1, 2)])
    lock = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        reports = [ship(con, [tmp_path], NOW) for _ in range(2)]
    finally:
        os.close(lock)

    assert [(report.receipts, report.duplicates) for report in reports] == [(2, 0), (0, 0)]


def test_file_that_would_mislead_this_version_is_left_alone(con, tmp_path):
    newer = outbox_format.SCHEMA_VERSION + 1
    path = write_outbox(tmp_path, NEWER, [("receipt", receipt(1)._asdict())], version=newer)

    report = ship(con, [tmp_path], NOW)

    assert (report.receipts, path.exists()) == (0, True)
    assert f"it has schema {newer}" in report.findings[0]


def test_table_of_something_else_is_set_aside(con, tmp_path):
    columns = {"receipt": ("a",), "exception_event": ("b",)}
    path = write_outbox(tmp_path, columns, [])
    with sqlite3.connect(path) as outbox:
        outbox.execute("ALTER TABLE receipt RENAME COLUMN seq TO number")

    report = ship(con, [tmp_path], NOW)

    assert [found.reason for found in report.quarantined] == [
        "its tables are not those of an outbox, or not those it began with"
    ]
