"""The outbox format: a row's checksum sees every change, and is the same wherever it is made."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor_autopatch.core import outbox_format
from anchor_autopatch.core.outbox_format import checksum, intact, row_crc, select_rows
from anchor_autopatch.core.records import ExceptionEvent, Receipt
from tests.job.outboxes import event, receipt

RECORDS = {"receipt": Receipt, "exception_event": ExceptionEvent}
_values = st.none() | st.text(max_size=40) | st.integers(-(2**63), 2**63 - 1)


@pytest.fixture
def con():
    with closing(sqlite3.connect(":memory:")) as con:
        con.execute(outbox_format.CREATE_RECEIPT)
        con.execute(outbox_format.CREATE_EVENT)
        yield con


def _kept(con, name, record, insert):
    con.execute(insert, (1, *record, row_crc(1, record)))
    return con.execute(select_rows(name, record._fields), (0, 1)).fetchall()


@pytest.mark.parametrize("name", RECORDS)
def test_table_has_the_fields_of_its_record_in_order(con, name):
    columns = [row[1] for row in con.execute(f"PRAGMA table_info({name})")]

    assert columns == ["seq", *RECORDS[name]._fields, "crc"]


def test_receipt_comes_back_as_it_was_checked(con):
    rows = _kept(con, "receipt", receipt(1), outbox_format.INSERT_RECEIPT)

    assert intact(rows) == rows


def test_event_comes_back_as_it_was_checked(con):
    rows = _kept(con, "exception_event", event(1), outbox_format.INSERT_EVENT)

    assert intact(rows) == rows


def test_checksum_is_the_same_on_every_python():
    # Made with 3.11; marshal's newer formats share references, and differ between versions.
    assert checksum((7, "rcpt-ü", None, 1_790_000_000_000_000, '{"a":1}', 0)) == 2_059_188_236


@given(st.lists(_values, min_size=1, max_size=8), st.data())
def test_changed_value_is_seen(values, data):
    place = data.draw(st.integers(0, len(values) - 1))
    other = data.draw(_values.filter(lambda value: value != values[place]))
    changed = [*values[:place], other, *values[place + 1 :]]

    row = (*changed, checksum(tuple(values)))

    assert intact([row]) == []


def test_row_under_another_number_is_seen():
    record = receipt(1)

    assert intact([(2, *record, row_crc(1, record))]) == []
