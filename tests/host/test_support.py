"""What the tests themselves rely on: nothing of one test reaches into the next."""

from __future__ import annotations

from anchor_autopatch.core import outbox_format
from anchor_autopatch.host import events as failures_of_process
from anchor_autopatch.host.failures import unwritable_event
from anchor_autopatch.host.storage import outbox
from tests.host import support


def test_a_row_written_after_its_test_is_over_opens_no_file(home):
    writer = outbox.own_writer()
    row = unwritable_event("a test", 0, 0)
    writer.append(outbox_format.INSERT_EVENT, row)
    files = sorted(home.rglob("*.db"))
    support.close_writer()
    writer.append(outbox_format.INSERT_EVENT, row)
    assert writer.file is None
    assert len(files) == 1
    assert sorted(home.rglob("*.db")) == files


def test_failures_that_were_only_counted_are_no_rows_of_a_later_test(home, events):
    failure = unwritable_event("a test", 0, 0)._replace(event_class="app_error")
    for _ in range(200):
        failures_of_process.leave(failure)
    counting, written = failures_of_process._counting, len(events())
    assert written < 200
    support.fresh_process_state()
    failures_of_process._write_held(counting)
    assert len(events()) == written
