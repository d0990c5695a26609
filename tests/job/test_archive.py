"""The archive holds every whole day, once, as it was shipped; nothing in it changes unseen."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import pytest

from anchor_autopatch.cli import main
from anchor_autopatch.core import crash_points
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.archive import Retention, archive, read_retention
from anchor_autopatch.job.reconcile import reconcile
from anchor_autopatch.job.ship import ship
from anchor_autopatch.job.verify.archives import check_archive
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.outboxes import START_US, event, left_behind, receipt

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)
DAY_US = 86_400_000_000


def on_day(number, day, **fields):
    """A receipt some days after the first."""
    return receipt(number, occurred_at_us=START_US + day * DAY_US, **fields)


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


@pytest.fixture
def shipped(con, tmp_path):
    """Three receipts on two days, one exception event on the second, in the warehouse."""
    left_behind(tmp_path, on_day(1, 0), on_day(2, 1), on_day(3, 1))
    left_behind(tmp_path, event(4, occurred_at_us=START_US + DAY_US), name="second")
    ship(con, [tmp_path], NOW)
    return con


def names(home):
    return sorted(str(path.relative_to(home)) for path in (home / "archive").rglob("*.*"))


def held(home, relation, column="receipt_id"):
    """Ids in the files of the archive, sorted."""
    files = f"read_parquet('{home}/archive/{relation}/*/*.parquet', union_by_name = true)"
    return [row[0] for row in duckdb.sql(f"SELECT {column} FROM {files} ORDER BY 1").fetchall()]


def ids_of(files):
    return [(file.relation, str(file.day), file.row_count) for file in files]


def test_whole_job_archives_when_the_policy_sets_a_term(tmp_path):
    left_behind(tmp_path, on_day(1, 0), on_day(2, 1))

    first = reconcile([tmp_path], NOW, {"retention": {"quarantine_days": 90}})
    second = reconcile([tmp_path], NOW, {"retention": {"quarantine_days": 90}})

    assert ids_of(first.archived.files) == [
        ("receipts", "2026-09-21", 1),
        ("receipts", "2026-09-22", 1),
    ]
    assert second.archived.files == ()


def test_whole_job_archives_nothing_unasked(tmp_path):
    left_behind(tmp_path, on_day(1, 0))

    report = reconcile([tmp_path], NOW, {})

    assert (report.archived.files, (tmp_path / "archive").exists()) == ((), False)


def test_archive_that_cannot_be_written_is_a_finding_of_the_job(tmp_path):
    left_behind(tmp_path, on_day(1, 0))
    (tmp_path / "archive").write_text("in the way", "utf-8")

    report = reconcile([tmp_path], NOW, {"retention": {"receipts_days": 400}})

    assert "Cannot archive receipts of 2026-09-21" in report.findings[0]
    assert report.report_path.exists()


def test_each_day_has_a_file_of_each_relation(shipped, tmp_path):
    report = archive(shipped, tmp_path, NOW)

    assert names(tmp_path) == [
        "archive/exception_events/day=2026-09-22/0001.parquet",
        "archive/receipts/day=2026-09-21/0001.parquet",
        "archive/receipts/day=2026-09-22/0001.parquet",
    ]
    assert report.rows == 4


def test_archived_rows_are_those_of_the_warehouse(shipped, tmp_path):
    archive(shipped, tmp_path, NOW)

    files = f"read_parquet('{tmp_path}/archive/receipts/*/*.parquet', hive_partitioning = false)"
    assert (
        shipped.execute(f"FROM {files} ORDER BY ALL").fetchall()
        == shipped.execute("FROM receipt ORDER BY ALL").fetchall()
    )


def test_day_that_is_not_over_waits(shipped, tmp_path):
    archive(shipped, tmp_path, datetime(2026, 9, 22, 23, 59, tzinfo=UTC))

    assert names(tmp_path) == ["archive/receipts/day=2026-09-21/0001.parquet"]


def test_archiving_twice_writes_nothing_new(shipped, tmp_path):
    archive(shipped, tmp_path, NOW)

    assert archive(shipped, tmp_path, NOW).files == ()


def test_late_receipt_goes_into_a_further_file(shipped, tmp_path):
    archive(shipped, tmp_path, NOW)
    left_behind(tmp_path, on_day(9, 1), name="late")
    ship(shipped, [tmp_path], NOW)

    files = archive(shipped, tmp_path, NOW).files

    assert [(file.relation, file.part, file.row_count) for file in files] == [("receipts", 2, 1)]
    assert held(tmp_path, "receipts") == [f"receipt-00000{number}" for number in (1, 2, 3, 9)]


def test_late_event_goes_into_a_further_file(shipped, tmp_path):
    archive(shipped, tmp_path, NOW)
    late = event(9, occurred_at_us=START_US + DAY_US, receipt_id="receipt-000003")
    left_behind(tmp_path, late, name="late")
    ship(shipped, [tmp_path], NOW)

    archive(shipped, tmp_path, NOW)

    assert held(tmp_path, "exception_events", "event_id") == ["event-000004", "event-000009"]


def test_files_are_private(shipped, tmp_path):
    archive(shipped, tmp_path, NOW)

    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "archive").rglob("*.parquet")}
    folders = {path.stat().st_mode & 0o777 for path in (tmp_path / "archive").rglob("day=*")}
    assert (modes, folders) == ({0o600}, {0o700})


class Died(BaseException):
    """Stands for SIGKILL at a step."""


@pytest.mark.parametrize(
    "step",
    [
        "archive.written",
        "archive.placed",
        "transaction.done",
        "transaction.committed",
        "archive.noted",
    ],
)
def test_killed_at_a_step_the_next_run_ends_alike(shipped, tmp_path, step):
    def die(reached):
        if reached == step:
            raise Died

    with pytest.raises(Died), crash_points.watched(die):
        archive(shipped, tmp_path, NOW)
    archive(shipped, tmp_path, NOW)

    assert len(names(tmp_path)) == 3
    assert held(tmp_path, "receipts") == ["receipt-000001", "receipt-000002", "receipt-000003"]
    assert check_archive(shipped, tmp_path).faults == ()


def test_changed_byte_is_named_with_its_file(shipped, tmp_path):
    archive(shipped, tmp_path, NOW)
    path = tmp_path / "archive/receipts/day=2026-09-22/0001.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    (fault,) = check_archive(shipped, tmp_path).faults

    assert fault.startswith(f"archive file {str(path)!r} is not the one that was written")


def test_lost_and_foreign_files_are_named(shipped, tmp_path):
    archive(shipped, tmp_path, NOW)
    path = tmp_path / "archive/receipts/day=2026-09-22/0001.parquet"
    path.rename(path.with_name("0007.parquet"))

    lost, foreign = check_archive(shipped, tmp_path).faults

    assert "0001.parquet' cannot be read: No such file" in lost
    assert "0007.parquet' was noted by no run" in foreign


def test_days_that_retention_would_remove_are_not_archived(shipped, tmp_path):
    retention = Retention(receipts_days=1, exception_events_days=1, archive_days=8)

    archive(shipped, tmp_path, NOW, retention=retention)

    assert held(tmp_path, "receipts") == ["receipt-000002", "receipt-000003"]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ([], r"'retention' in anchor.toml: expected a table"),
        ({"receipts": 3}, "Unknown key 'receipts'"),
        ({"receipts_days": 0}, "Cannot use 0 for 'receipts_days'"),
        ({"receipts_days": True}, "Cannot use True for"),
        ({"archive_days": 9}, "'receipts_days' has no term"),
        ({"archive_days": 9, "receipts_days": 10}, "'receipts_days' has 10"),
    ],
)
def test_terms_that_are_none_are_refused(section, said):
    with pytest.raises(ConfigError, match=said):
        read_retention({"retention": section})


def test_command_says_what_it_wrote(tmp_path, capsys):
    with open_warehouse(tmp_path) as con:
        left_behind(tmp_path, on_day(1, 0), on_day(2, 1))
        ship(con, [tmp_path], NOW)

    codes = [main(["archive", "--home", str(tmp_path)]) for _ in range(2)]

    assert codes == [0, 0]
    assert capsys.readouterr().out.splitlines() == [
        "Archived rows: 2, of days: 2 (2026-09-21 to 2026-09-22), in files: 2.",
        "Nothing to archive: every whole day is in the archive.",
    ]
