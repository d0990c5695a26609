"""What `make bench` says of its samples."""

from __future__ import annotations

import os
import sqlite3
import sys

import pytest

from anchor_autopatch.core import outbox_format
from anchor_autopatch.host.storage.outbox_file import OutboxFile
from benchmarks import table, troubles
from benchmarks.measuring import Comparison, in_turns

NEAR = (9.0, 10.0, 11.0, 10.0, 9.5, 10.5, 10.0, 10.0)


def compared(added, most_added=None, most_ratio=None):
    bare = (100.0,) * len(NEAR)
    hooked = tuple(100.0 + added + near - 10.0 for near in NEAR)
    return Comparison("x", "us", bare, hooked, most_added, most_ratio)


@pytest.mark.parametrize(
    ("added", "most_added", "most_ratio", "verdict"),
    [
        (10.0, 50.0, None, "held"),
        (60.0, 50.0, None, "MISSED"),
        (9.9, 10.0, None, "held?"),
        (10.1, 10.0, None, "MISSED?"),
        (10.0, None, 1.2, "held"),
        (10.0, None, 1.101, "held?"),
        (10.0, None, 1.05, "MISSED"),
        (10.0, 50.0, 1.05, "MISSED"),
        (10.0, None, None, ""),
    ],
)
def test_bar_within_the_interval_is_in_question(added, most_added, most_ratio, verdict):
    assert compared(added, most_added, most_ratio).verdict == verdict


def test_machine_that_slows_down_adds_nothing():
    clock = iter(range(1_000))

    bare, hooked = in_turns((lambda: float(next(clock)), lambda: float(next(clock))), 40)

    assert abs(Comparison("x", "us", tuple(bare), tuple(hooked)).added) <= 1


def test_page_keeps_all_but_the_table(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table._BEGIN}old\n{table._END}after\n", encoding="utf-8")

    table.write([compared(10.0, 50.0)], page, "Said.")

    text = page.read_text(encoding="utf-8")
    assert "old" not in text
    assert "| x | 100.0 us | 110.0 | +10.00 | 0.50 | 1.100x | +50 us | held |" in text
    assert (text.startswith("before\n"), text.endswith("after\n")) == (True, True)


@pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks need Linux")
def test_locked_outbox_takes_no_row_until_its_holder_leaves(tmp_path, monkeypatch):
    file = OutboxFile(str(tmp_path / "outbox"))
    row = tuple("x" for _ in outbox_format.Receipt._fields)
    monkeypatch.setenv("ANCHOR_HOME", str(tmp_path))
    monkeypatch.setenv("BENCH_TROUBLE", troubles.locked_outbox(os.curdir)["BENCH_TROUBLE"])

    holder = troubles.begin()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        file.insert(outbox_format.INSERT_RECEIPT, row)
    holder.communicate("")
    file.insert(outbox_format.INSERT_RECEIPT, row)

    assert file.sequence == 1
    file.close()
