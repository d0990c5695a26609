"""What the tests themselves rely on: nothing of one test reaches into the next."""

from __future__ import annotations

from anchor_autopatch.core import outbox_format
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
