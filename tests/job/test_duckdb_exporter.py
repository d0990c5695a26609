"""The default destination by its contract alone: all or nothing, each row once, in any batches."""

from __future__ import annotations

from itertools import pairwise

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor_autopatch.core.destinations import (
    Batch,
    Loss,
    OutboxIdentity,
    QuarantinedFile,
    Watermark,
    Written,
)
from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.core.outbox_format import row_crc
from anchor_autopatch.job.warehouse import open_warehouse
from anchor_exporters import duckdb as exporter_module
from anchor_exporters.duckdb import DuckDBExporter
from tests.job.outboxes import event, receipt

NOW_US = 1_790_100_000_000_000
HOUR_US = 3_600_000_000


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


@pytest.fixture
def exporter(con):
    return DuckDBExporter(con)


def _outbox(name="a"):
    return OutboxIdentity(f"id-of-{name}", f"/home/outbox/{name}.db")


def _rows(records, first=1):
    return [(seq, *record, row_crc(seq, record)) for seq, record in enumerate(records, first)]


def batch(*receipts, events=(), name="a", before=0, losses=()):
    """A batch of one outbox with these records, numbered on from `before`."""
    rows = _rows(receipts, before + 1)
    later = _rows(events, before + 1 + len(receipts))
    last = before + len(rows) + len(later)
    marks = Watermark(before), Watermark(last, 7)
    return Batch(_outbox(name), *marks, rows, later, tuple(losses), "sum")


def _count(con, table):
    return con.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_batch_arrives_with_its_watermark(con, exporter):
    told = exporter.write([batch(receipt(1), receipt(2), events=[event(3)])], NOW_US)

    assert told == [Written(2, 1, 0)]
    assert exporter.watermarks([_outbox()]) == [Watermark(3, 7)]
    assert (_count(con, "receipt"), _count(con, "exception_event")) == (2, 1)


def test_batch_told_again_adds_nothing(con, exporter):
    exporter.write([batch(receipt(1), receipt(2))], NOW_US)

    assert exporter.write([batch(receipt(1), receipt(2))], NOW_US) == [Written(0, 0, 2)]
    assert _count(con, "receipt") == 2


def test_row_of_two_batches_counts_for_the_first(con, exporter):
    clone = batch(receipt(1), receipt(2), events=[event(4)], name="clone")

    told = exporter.write([batch(receipt(1), events=[event(4)]), clone], NOW_US)

    assert told == [Written(1, 1, 0), Written(1, 0, 2)]
    assert (_count(con, "receipt"), _count(con, "exception_event")) == (2, 1)


def test_row_twice_in_one_batch_counts_once(con, exporter):
    assert exporter.write([batch(receipt(1), receipt(1))], NOW_US) == [Written(1, 0, 1)]
    assert _count(con, "receipt") == 1


def test_batches_that_fill_many_stages_arrive_whole(con, exporter, monkeypatch):
    monkeypatch.setattr(exporter_module, "_STAGE_ROWS", 3)
    batches = [batch(receipt(n), receipt(n + 1), before=n) for n in range(0, 20, 2)]
    repeated = [batch(receipt(0), events=[event(99)], name="clone")]

    told = exporter.write(batches + repeated, NOW_US)

    assert told == [Written(2, 0, 0)] * 10 + [Written(0, 1, 1)]
    assert _count(con, "receipt") == 20


def test_source_that_fails_midway_leaves_nothing(con, exporter, monkeypatch):
    monkeypatch.setattr(exporter_module, "_STAGE_ROWS", 1)

    def torn():
        yield batch(receipt(1))
        yield batch(receipt(2), before=1)
        raise StoreError("Cannot read '/home/outbox/a.db': disk error")

    with pytest.raises(StoreError, match="disk error"):
        exporter.write(torn(), NOW_US)

    assert (_count(con, "receipt"), _count(con, "shipment")) == (0, 0)
    assert exporter.watermarks([_outbox()]) == [Watermark()]


def test_interrupted_write_gives_the_connection_back(con, exporter):
    def interrupted():
        yield batch(receipt(1))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exporter.write(interrupted(), NOW_US)

    assert exporter.write([batch(receipt(1))], NOW_US) == [Written(1, 0, 0)]


def test_row_that_the_warehouse_refuses_refuses_all(con, exporter):
    good, bad = batch(receipt(1)), batch(receipt(2, http_status="teapot"), name="b")

    with pytest.raises(StoreError, match="Cannot write to the warehouse, nothing shipped"):
        exporter.write([good, bad], NOW_US)

    assert _count(con, "receipt") == 0


def test_losses_are_kept_with_their_batch(con, exporter):
    torn = [Loss(2, 4, "missing"), Loss(5, 5, "corrupt")]

    exporter.write([batch(receipt(1), losses=torn)], NOW_US)

    rows = con.execute("SELECT first_seq, last_seq, reason FROM outbox_loss ORDER BY 1").fetchall()
    assert rows == [(2, 4, "missing"), (5, 5, "corrupt")]


def test_watermarks_come_in_the_order_that_was_asked(exporter):
    exporter.write([batch(receipt(1), name="b"), batch(receipt(2), receipt(3), name="c")], NOW_US)

    found = exporter.watermarks([_outbox("c"), _outbox("never seen"), _outbox("b")])

    assert [mark.seq for mark in found] == [2, 0, 1]


def test_same_outbox_at_another_path_begins_anew(exporter):
    exporter.write([batch(receipt(1))], NOW_US)
    clone = _outbox()._replace(path="/restored/outbox/a.db")

    assert exporter.watermarks([clone]) == [Watermark()]


def test_quarantine_told_twice_is_kept_once(con, exporter):
    found = QuarantinedFile("/home/outbox/x.db", "/home/quarantine/x.db", "no outbox", None, 3)

    exporter.note_quarantine(found, NOW_US)
    exporter.note_quarantine(found._replace(salvaged=4), NOW_US + 1)

    assert con.execute("SELECT path, salvaged_count FROM quarantined_file").fetchall() == [
        ("/home/outbox/x.db", 4)
    ]


_windows = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 5)).map(
        lambda drawn: (drawn[0] * HOUR_US // 2, (drawn[0] + drawn[1]) * HOUR_US // 2)
    ),
    max_size=12,
)


@given(_windows)
def test_windows_are_covered_in_order_and_apart(windows):
    merged = exporter_module._merged(windows)

    assert all(any(a <= first and last <= b for a, b in merged) for first, last in windows)
    gaps = [later[0] - earlier[1] for earlier, later in pairwise(merged)]
    assert all(gap > HOUR_US for gap in gaps)


def test_copy_is_known_however_long_ago_it_was(con, exporter):
    old = receipt(1, occurred_at_us=NOW_US - 400 * 24 * HOUR_US)
    exporter.write([batch(old, *(receipt(n) for n in range(2, 6)))], NOW_US)

    assert exporter.write([batch(old, receipt(9), name="restored")], NOW_US) == [Written(1, 0, 1)]


def test_error_of_the_warehouse_names_its_cause(exporter, con):
    con.execute("DROP TABLE receipt")

    with pytest.raises(StoreError, match=r"nothing shipped: .*receipt") as refused:
        exporter.write([batch(receipt(1))], NOW_US)

    assert isinstance(refused.value.__cause__, duckdb.Error)
