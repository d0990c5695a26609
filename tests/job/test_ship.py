"""Shipping has the effect of exactly once, whatever state the outboxes are in."""

from __future__ import annotations

import gc
import random
import shutil
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anchor_autopatch.core.settings import default_home
from anchor_autopatch.job.lease import SHIPPER_LOCK, lease
from anchor_autopatch.job.ship import ship
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.outboxes import START_US, Outbox, event, left_behind, living, receipt

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def count(con, table):
    return con.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_receipts_arrive_with_all_their_fields(con, tmp_path):
    left_behind(tmp_path, receipt(1, labels='{"plan": "pro"}', stream=1, billable=0))

    ship(con, [tmp_path], NOW)

    assert con.execute(
        "SELECT receipt_id, occurred_at::VARCHAR, duration_us, labels, stream, billable,"
        " outbox_id, writer_seq, shipped_at::VARCHAR FROM receipt"
    ).fetchall() == [
        (
            *("receipt-000001", "2026-09-21 14:13:21", 250_000, '{"plan": "pro"}', True, False),
            *("id-of-writer", 1, "2026-09-30 12:00:00"),
        )
    ]


def test_events_arrive_beside_receipts(con, tmp_path):
    left_behind(tmp_path, receipt(1), event(2), receipt(3))

    report = ship(con, [tmp_path], NOW)

    assert (report.receipts, report.events, report.findings) == (2, 1, [])
    assert con.execute("SELECT event_id, event_class FROM exception_event").fetchall() == [
        ("event-000002", "rate_limited")
    ]


def test_shipping_twice_is_the_same_as_once(con, tmp_path):
    with living(tmp_path) as writer:
        writer.write_many(500)
        ship(con, [tmp_path], NOW)

        report = ship(con, [tmp_path], NOW)

    assert (count(con, "receipt"), report.receipts, report.duplicates) == (500, 0, 0)


def test_live_writer_goes_on_between_two_runs(con, tmp_path):
    with living(tmp_path) as writer:
        writer.write_many(10)
        ship(con, [tmp_path], NOW)
        writer.write_many(5)

        report = ship(con, [tmp_path], NOW)

        assert writer.path.exists()
    assert (count(con, "receipt"), report.receipts, report.live) == (15, 5, 1)


def test_finished_outbox_is_removed_with_its_companions(con, tmp_path):
    left_behind(tmp_path, receipt(1))

    ship(con, [tmp_path], NOW)

    assert [path.name for path in (tmp_path / "outbox").iterdir()] == [SHIPPER_LOCK]
    assert con.execute("SELECT state, watermark FROM outbox").fetchall() == [("finished", 1)]


def test_rows_of_a_killed_writer_are_read_from_its_wal(con, tmp_path):
    path = left_behind(tmp_path, receipt(1), receipt(2))
    assert path.with_name("writer.db-wal").stat().st_size > path.stat().st_size

    assert ship(con, [tmp_path], NOW).receipts == 2


def test_clone_of_an_outbox_adds_nothing(con, tmp_path):
    with living(tmp_path) as writer:
        writer.write_many(20)
        ship(con, [tmp_path], NOW)
        writer.con.execute("VACUUM INTO ?", (str(writer.path.with_name("clone.db")),))

        report = ship(con, [tmp_path], NOW)

    assert (count(con, "receipt"), report.receipts, report.duplicates) == (20, 0, 20)


def test_clones_from_far_apart_days_are_all_known(con, tmp_path):
    months = [receipt(day, occurred_at_us=START_US + day * 86_400_000_000) for day in (0, 40, 80)]
    for name in ("first", "clone"):
        left_behind(tmp_path, *months, name=name, meta={"outbox_id": "same"})
        ship(con, [tmp_path], NOW)
    left_behind(tmp_path, months[2], receipt(7), name="other")

    report = ship(con, [tmp_path], NOW)

    assert (count(con, "receipt"), report.receipts, report.duplicates) == (4, 1, 1)


def test_row_that_two_files_of_one_run_hold_counts_once(con, tmp_path):
    left_behind(tmp_path, receipt(1), event(2), name="a")
    left_behind(tmp_path, event(2), receipt(3), receipt(1), name="b")

    report = ship(con, [tmp_path], NOW)

    assert (report.receipts, report.events, report.duplicates) == (2, 1, 2)
    assert con.execute(
        "SELECT receipt_id, outbox_id, writer_seq FROM receipt ORDER BY ALL"
    ).fetchall() == [("receipt-000001", "id-of-a", 1), ("receipt-000003", "id-of-b", 2)]


def test_clones_that_went_on_apart_keep_all_their_rows(con, tmp_path):
    left_behind(tmp_path / "a", receipt(1), receipt(2), receipt(3), meta={"outbox_id": "same"})
    left_behind(tmp_path / "b", receipt(1), receipt(2), receipt(103), meta={"outbox_id": "same"})

    report = ship(con, [tmp_path / "a", tmp_path / "b"], NOW)

    assert (count(con, "receipt"), report.duplicates) == (4, 2)


def test_restored_file_that_went_on_is_read_again(con, tmp_path):
    with living(tmp_path) as writer:
        writer.write_many(5)
        ship(con, [tmp_path], NOW)
        writer.run("DELETE FROM receipt WHERE seq > 3").seq = 3
        writer.write(receipt(104), receipt(105), receipt(106))

        report = ship(con, [tmp_path], NOW)

    assert (count(con, "receipt"), report.receipts, report.duplicates) == (8, 3, 3)


def test_one_receipt_written_twice_counts_once(con, tmp_path):
    left_behind(tmp_path, receipt(1), receipt(1))

    report = ship(con, [tmp_path], NOW)

    assert (count(con, "receipt"), report.duplicates) == (1, 1)


def test_batches_commit_one_by_one(con, tmp_path, monkeypatch):
    monkeypatch.setattr("anchor_autopatch.job.ship.outbox_reader.BATCH_ROWS", 7)
    writer = Outbox(tmp_path).write_many(20).write(*map(event, range(21, 41))).write_many(3)
    writer.die()

    report = ship(con, [tmp_path], NOW)

    assert (report.receipts, report.events, report.missing) == (23, 20, 0)
    assert count(con, "shipment") == 5


def test_shipments_add_up_to_the_warehouse(con, tmp_path):
    with living(tmp_path) as writer:
        writer.write_many(3).write(event(4))
        ship(con, [tmp_path], NOW)
        writer.write_many(2)
        ship(con, [tmp_path], NOW)

    assert con.execute(
        "SELECT after_seq, last_seq, receipt_count, event_count, length(checksum) FROM shipment"
    ).fetchall() == [(0, 4, 3, 1, 64), (4, 6, 2, 0, 64)]


def test_several_homes_ship_into_one_warehouse(con, tmp_path):
    left_behind(tmp_path / "alice", receipt(1))
    left_behind(tmp_path / "bob", receipt(2))

    assert ship(con, [tmp_path / "alice", tmp_path / "bob"], NOW).receipts == 2


def test_home_at_work_elsewhere_is_left_alone(con, tmp_path):
    path = left_behind(tmp_path, receipt(1))
    with lease(tmp_path / "outbox" / SHIPPER_LOCK):
        report = ship(con, [tmp_path], NOW)

    assert (report.busy, report.receipts, path.exists()) == ([str(tmp_path)], 0, True)


def test_rows_that_fell_back_to_the_default_home_are_shipped(con, tmp_path):
    fallback = Path(default_home())
    own = left_behind(fallback, receipt(1), name="own", meta={"home": str(tmp_path)})
    other = left_behind(fallback, receipt(2), name="other", meta={"home": str(fallback)})

    report = ship(con, [tmp_path], NOW)

    assert (report.receipts, own.exists(), other.exists()) == (1, False, True)


def test_no_outbox_folder_is_no_error(con, tmp_path):
    assert ship(con, [tmp_path / "nowhere"], NOW).outboxes == 0


def test_files_are_private(tmp_path):
    home = tmp_path / "home"
    with open_warehouse(home) as con:
        left_behind(home, receipt(1))
        ship(con, [home], NOW)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home, *home.iterdir())}

    assert modes["home"] == modes["outbox"] == 0o700
    assert {mode for name, mode in modes.items() if "warehouse" in name} == {0o600}


class Killed(BaseException):
    """Stands for SIGKILL at a step."""


STEPS = (
    "anchor_exporters.duckdb.DuckDBExporter._fill",
    "anchor_exporters.duckdb.DuckDBExporter.finish",
    "anchor_autopatch.job.ship.files.remove_outbox",
)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_then_run_again_is_exactly_once(con, tmp_path, monkeypatch, step):
    Outbox(tmp_path).write_many(500).die()

    def kill(*_):
        raise Killed

    with monkeypatch.context() as killing:
        killing.setattr(step, kill)
        with pytest.raises(Killed):
            ship(con, [tmp_path], NOW)
    ship(con, [tmp_path], NOW)

    assert con.execute("SELECT count(*), count(DISTINCT receipt_id) FROM receipt").fetchone() == (
        500,
        500,
    )


def test_half_removed_outbox_adds_nothing(con, tmp_path):
    path = left_behind(tmp_path, receipt(1))
    copy = shutil.copy(path, tmp_path / "kept.db")
    ship(con, [tmp_path], NOW)
    shutil.copy(copy, path)

    ship(con, [tmp_path], NOW)

    assert count(con, "receipt") == 1


SHIP = """
import sys
from datetime import datetime, timezone
from pathlib import Path
from anchor_autopatch.job import ship
from anchor_autopatch.job.ship import files, outbox_reader
from anchor_autopatch.job.warehouse import open_warehouse
outbox_reader.BATCH_ROWS = files._COMMIT_ROWS = 50
home = Path(sys.argv[1])
with open_warehouse(home) as con:
    print("ready", flush=True)
    ship.ship(con, [home], datetime.now(timezone.utc))
"""


@pytest.mark.slow
def test_shippers_killed_at_random_instants_lose_and_double_nothing(tmp_path):
    for number in range(4):
        Outbox(tmp_path, f"writer-{number}").write(
            *(receipt(number * 10_000 + place) for place in range(1_000))
        ).die()
    luck = random.Random(1)
    for _ in range(6):
        with subprocess.Popen(
            (sys.executable, "-c", SHIP, str(tmp_path)), stdout=subprocess.PIPE
        ) as shipper:
            shipper.stdout.readline()
            time.sleep(luck.uniform(0, 0.1))
            shipper.kill()

    with open_warehouse(tmp_path) as con:
        report = ship(con, [tmp_path], NOW)
        found = con.execute("SELECT count(*), count(DISTINCT receipt_id) FROM receipt").fetchone()

    assert (found, report.findings) == ((4_000, 4_000), [])


@pytest.mark.parametrize("on", [True, False])
def test_shipping_leaves_the_cycle_collector_as_it_was(con, tmp_path, on):
    left_behind(tmp_path, receipt(1))
    was_on = gc.isenabled()
    gc.enable() if on else gc.disable()

    try:
        ship(con, [tmp_path], NOW)
        left = gc.isenabled()
    finally:
        gc.enable() if was_on else gc.disable()

    assert left is on
