"""Damage in the outbox folder is counted, set aside and named; it never stops the shipper."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

import pytest

from anchor_autopatch.core import outbox_format
from anchor_autopatch.job.ship import ship
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.outboxes import Outbox, event, left_behind, living, receipt

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def losses(con):
    return con.execute(
        "SELECT first_seq, last_seq, reason FROM outbox_loss ORDER BY ALL"
    ).fetchall()


def ids(con):
    return [row[0] for row in con.execute("SELECT receipt_id FROM receipt ORDER BY ALL").fetchall()]


def quarantined(home):
    folder = home / "quarantine"
    return sorted(path.name for path in folder.glob("*.db"))


def test_corrupt_row_is_left_out_and_its_file_kept(con, tmp_path):
    writer = Outbox(tmp_path).write(receipt(1), receipt(2), receipt(3))
    writer.run("UPDATE receipt SET service = 'chatbox' WHERE seq = 2").die()

    report = ship(con, [tmp_path], NOW)

    assert (report.receipts, report.corrupt) == (2, 1)
    assert losses(con) == [(2, 2, "corrupt")]
    assert (tmp_path / "quarantine" / "writer.db-wal").stat().st_size > 0


def test_corrupt_row_of_a_live_writer_is_reported_once(con, tmp_path):
    with living(tmp_path) as writer:
        writer.write(receipt(1), receipt(2)).run("UPDATE receipt SET team = 'x' WHERE seq = 1")
        first = ship(con, [tmp_path], NOW)

        second = ship(con, [tmp_path], NOW)

    assert (len(first.findings), second.findings) == (1, [])
    assert (ids(con), quarantined(tmp_path)) == (["receipt-000002"], [])


def test_schema_that_is_no_text_any_more_is_set_aside(con, tmp_path):
    path = Outbox(tmp_path).write(receipt(1)).die(checkpoint=True)
    path.write_bytes(path.read_bytes().replace(b"TABLE receipt", b"T\xdfBLE receipt"))

    report = ship(con, [tmp_path], NOW)

    assert (report.receipts, quarantined(tmp_path)) == (0, ["writer.db"])


def test_gap_in_the_sequence_is_seen(con, tmp_path):
    writer = Outbox(tmp_path).write(receipt(1), receipt(2), event(3), receipt(4), receipt(5))
    writer.run("DELETE FROM receipt WHERE seq IN (2, 4)").run("DELETE FROM exception_event").die()

    report = ship(con, [tmp_path], NOW)

    assert (report.missing, losses(con)) == (3, [(2, 4, "missing")])
    assert con.execute("SELECT missing_count FROM shipment").fetchall() == [(3,)]


@pytest.mark.parametrize("field", ["occurred_at_us", "http_status"])
def test_value_of_a_wrong_kind_is_refused(con, tmp_path, field):
    left_behind(tmp_path, receipt(1), receipt(2, **{field: "not a number"}))

    ship(con, [tmp_path], NOW)

    assert (ids(con), losses(con)) == (["receipt-000001"], [(2, 2, "refused")])


def test_absurd_number_does_not_stop_the_batch(con, tmp_path):
    left_behind(tmp_path, receipt(1, http_status=2**40, attempts=-(2**62)))

    ship(con, [tmp_path], NOW)

    assert con.execute("SELECT http_status, attempts FROM receipt").fetchall() == [(None, None)]


def test_text_with_any_character_arrives_as_it_is(con, tmp_path):
    text = "nul \x00 quote ' \" newline \n snow \N{SNOWMAN} separator \x1f emoji \N{GRINNING FACE}"
    left_behind(tmp_path, receipt(1, user_id=text))

    ship(con, [tmp_path], NOW)

    assert con.execute("SELECT user_id FROM receipt").fetchone() == (text,)


def test_text_that_is_not_utf8_is_one_lost_row(con, tmp_path):
    writer = Outbox(tmp_path).write(receipt(1), receipt(2), receipt(3))
    writer.run("UPDATE receipt SET team = CAST(X'ff41' AS TEXT) WHERE seq = 2").die()

    report = ship(con, [tmp_path], NOW)

    assert (report.receipts, report.corrupt, losses(con)) == (2, 1, [(2, 2, "corrupt")])


FOREIGN = {
    "empty": b"",
    "text": b"not a database at all, but long enough to look like one" * 50,
    "header": b"SQLite format 3\x00" + bytes(range(256)) * 8,
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN.keys())
def test_foreign_file_is_set_aside(con, tmp_path, content):
    left_behind(tmp_path, receipt(1))
    (tmp_path / "outbox" / "foreign.db").write_bytes(content)

    report = ship(con, [tmp_path], NOW)

    assert (report.receipts, quarantined(tmp_path)) == (1, ["foreign.db"])
    assert "foreign.db" in report.findings[0]


def test_database_of_somebody_else_is_set_aside(con, tmp_path):
    (tmp_path / "outbox").mkdir()
    with sqlite3.connect(tmp_path / "outbox" / "notes.db") as other:
        other.execute("CREATE TABLE note (text TEXT)")
    other.close()

    ship(con, [tmp_path], NOW)

    assert quarantined(tmp_path) == ["notes.db"]


def test_second_file_of_a_name_gets_a_place_of_its_own(con, tmp_path):
    for _ in range(2):
        (tmp_path / "outbox").mkdir(exist_ok=True)
        (tmp_path / "outbox" / "foreign.db").write_bytes(b"x" * 2000)
        ship(con, [tmp_path], NOW)

    assert quarantined(tmp_path) == ["foreign.2.db", "foreign.db"]


def test_symlink_is_not_followed(con, tmp_path):
    target = left_behind(tmp_path / "elsewhere", receipt(1))
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "link.db").symlink_to(target)

    report = ship(con, [tmp_path], NOW)

    assert (report.receipts, quarantined(tmp_path), target.exists()) == (0, ["link.db"], True)


def test_file_of_a_newer_version_is_left_alone(con, tmp_path):
    path = left_behind(tmp_path, receipt(1), meta={"schema_version": "99"})

    report = ship(con, [tmp_path], NOW)

    assert (report.receipts, path.exists()) == (0, True)
    assert "schema 99" in report.findings[0]


def test_outbox_just_being_made_is_left_alone(con, tmp_path):
    with living(tmp_path) as writer:
        young = writer.path.with_name("young.db")
        young.touch()
        writer.path.with_suffix(".lock").rename(young.with_suffix(".lock"))

        report = ship(con, [tmp_path], NOW)

    assert (report.findings, quarantined(tmp_path)) == ([], [])


def test_rows_before_and_after_a_torn_page_are_salvaged(con, tmp_path):
    path = Outbox(tmp_path).write_many(200).die(checkpoint=True)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 1024 * 1024
    content[middle : middle + 1024] = b"\xff" * 1024
    path.write_bytes(content)

    report = ship(con, [tmp_path], NOW)

    assert 180 < report.receipts < 200
    assert report.receipts + report.corrupt + report.missing == 200
    assert quarantined(tmp_path) == ["writer.db"]


def test_truncated_file_gives_what_it_still_has(con, tmp_path):
    path = Outbox(tmp_path).write_many(200).die(checkpoint=True)
    path.write_bytes(path.read_bytes()[: 40 * 1024])

    report = ship(con, [tmp_path], NOW)

    assert len(report.findings) > 0
    assert report.receipts == len(ids(con))
    assert quarantined(tmp_path) == ["writer.db"]


def test_rows_lost_in_memory_are_named(con, tmp_path):
    meta = {"rows_dropped_before": "7", "opened_after": "disk I/O error"}
    left_behind(tmp_path, receipt(1), meta=meta)

    report = ship(con, [tmp_path], NOW)

    assert "7 rows were lost" in report.findings[0]


def test_lock_that_cannot_be_taken_stops_one_file_only(con, tmp_path):
    path = left_behind(tmp_path, receipt(1), name="a")
    left_behind(tmp_path, receipt(2), name="b")
    path.with_suffix(".lock").unlink()
    path.with_suffix(".lock").symlink_to(tmp_path / "elsewhere")

    report = ship(con, [tmp_path], NOW)

    assert (report.receipts, path.exists()) == (1, True)
    assert "its lock cannot be taken" in report.findings[0]


def test_more_files_than_are_open_together_are_all_shipped(con, tmp_path, monkeypatch):
    monkeypatch.setattr("anchor_autopatch.job.ship.files._GROUP_FILES", 3)
    for number in range(8):
        left_behind(tmp_path, receipt(number), name=f"writer-{number}")

    assert ship(con, [tmp_path], NOW).receipts == 8


def with_rotten_name(home, before, after, row_format=outbox_format.ROW_FORMAT):
    writer = Outbox(home, meta={"row_format": row_format}).write(receipt(1), event(2))
    path = writer.die(checkpoint=True)
    whole = path.read_bytes()
    assert before in whole
    path.write_bytes(whole.replace(before, after))


@pytest.mark.parametrize("rotten", [b"raw_usagd", b"raw_usagE", b"paw_usage"])
def test_rotten_name_of_a_column_costs_no_value(con, tmp_path, rotten):
    with_rotten_name(tmp_path, b"raw_usage", rotten)

    ship(con, [tmp_path], NOW)

    assert con.execute("SELECT raw_usage FROM receipt").fetchall() == [(receipt(1).raw_usage,)]
    assert (losses(con), quarantined(tmp_path)) == ([], [])


def test_rotten_name_among_columns_of_another_version_is_damage(con, tmp_path):
    with_rotten_name(tmp_path, b"raw_usage", b"raw_usagd", row_format="of another version")

    ship(con, [tmp_path], NOW)

    assert (ids(con), quarantined(tmp_path)) == ([], ["writer.db"])


def test_rotten_note_of_the_columns_costs_nothing(con, tmp_path):
    left_behind(tmp_path, receipt(1), meta={"row_format": "rotten"})

    ship(con, [tmp_path], NOW)

    assert ids(con) == ["receipt-000001"]
