"""Rows that a writer acknowledged and that its file no longer ends with are told, once."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime

import pytest

from anchor_autopatch.core import outbox_format
from anchor_autopatch.core.high_water import map_mark, read_mark
from anchor_autopatch.host.storage.outbox import Writer
from anchor_autopatch.job.lease import lease
from anchor_autopatch.job.ship import ship
from anchor_autopatch.job.verify.outboxes import check_outboxes
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.outboxes import receipt

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)
ROWS = 10


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


@pytest.fixture
def killed(tmp_path, monkeypatch):
    """The outbox of a writer that acknowledged ROWS receipts and was killed."""
    monkeypatch.setenv("ANCHOR_HOME", str(tmp_path / "writer"))
    writer = Writer()
    for number in range(1, ROWS + 1):
        writer.append(outbox_format.INSERT_RECEIPT, receipt(number))
    # Files of their own: a connection of this process would still know the log's index.
    shutil.copytree(tmp_path / "writer" / "outbox", tmp_path / "outbox")
    writer.file.close()
    (path,) = (tmp_path / "outbox").glob("*.db")
    path.with_name(f"{path.name}-shm").unlink()
    return path


def rot_end(path):
    """Changes one bit in the last page that the writer logged."""
    wal = path.with_name(f"{path.name}-wal")
    content = bytearray(wal.read_bytes())
    content[-100] ^= 4
    wal.write_bytes(content)


def losses(con):
    return con.execute("SELECT first_seq, last_seq, reason FROM outbox_loss").fetchall()


def test_mark_is_the_last_acknowledged_number(killed):
    assert read_mark(killed.with_suffix(".lock")) == ROWS


def test_rotten_end_of_the_log_is_named_and_kept(con, killed, tmp_path):
    rot_end(killed)

    report = ship(con, [tmp_path], NOW)

    assert (report.receipts, losses(con)) == (ROWS - 1, [(ROWS, ROWS, "corrupt")])
    assert (tmp_path / "quarantine" / killed.name).exists()
    assert any(str(killed) in finding for finding in report.findings)


@pytest.mark.parametrize("kept", [0, 20, 5_000, 12_000, 20_000, -1])
def test_rows_of_a_log_that_was_cut_short_are_counted(con, killed, tmp_path, kept):
    os.truncate(
        killed.with_name(f"{killed.name}-wal"),
        kept if kept >= 0 else killed.with_name(f"{killed.name}-wal").stat().st_size - 1,
    )

    report = ship(con, [tmp_path], NOW)

    assert report.receipts < ROWS
    named = sum(last - first + 1 for first, last, _ in losses(con))
    assert report.receipts + named == ROWS or report.quarantined


def test_lost_end_is_told_once_and_later_runs_are_silent(con, killed, tmp_path):
    rot_end(killed)
    with lease(killed.with_suffix(".lock")):  # as if its writer were alive: the file stays
        first = ship(con, [tmp_path], NOW)
        second = ship(con, [tmp_path], NOW)

    assert (first.corrupt, second.corrupt) == (1, 0)
    assert (second.receipts, second.duplicates, len(losses(con))) == (0, 0, 1)


def test_verify_names_a_lost_end(killed, tmp_path):
    assert check_outboxes([tmp_path]).faults == ()

    rot_end(killed)

    (fault,) = check_outboxes([tmp_path]).faults
    assert "rows 10 to 10: corrupt" in fault


@pytest.mark.parametrize("bit", range(0, 64, 7))
def test_mark_that_rots_accuses_nobody(con, killed, tmp_path, bit):
    lock = killed.with_suffix(".lock")
    content = bytearray(lock.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    lock.write_bytes(content)

    report = ship(con, [tmp_path], NOW)

    assert read_mark(lock) is None
    assert (report.receipts, report.findings) == (ROWS, [])


def test_file_whose_writer_died_making_it_is_removed(con, tmp_path):
    folder = tmp_path / "outbox"
    folder.mkdir(mode=0o700)
    (folder / "w.db").touch(mode=0o600)
    descriptor = os.open(folder / "w.lock", os.O_CREAT | os.O_RDWR, 0o600)
    map_mark(descriptor)
    os.close(descriptor)

    report = ship(con, [tmp_path], NOW)

    assert (report.findings, report.quarantined) == ([], [])
    assert [path.name for path in folder.iterdir()] == ["shipper.lock"]
