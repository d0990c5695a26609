"""Retention removes what is shipped, archived, closed and old, and knows it when it returns."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime

import duckdb
import pytest

from anchor_autopatch.cli import main
from anchor_autopatch.core import crash_points
from anchor_autopatch.core.settings import REPORT_FILE, WAREHOUSE_FILE
from anchor_autopatch.job.archive import Retention, archive, purge
from anchor_autopatch.job.invoices import TypedTotal, add_total
from anchor_autopatch.job.publish import publish
from anchor_autopatch.job.reconcile import reconcile
from anchor_autopatch.job.ship import ship
from anchor_autopatch.job.verify import verify
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.outboxes import START_US, event, left_behind, receipt

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)
LATER = datetime(2027, 10, 2, 12, tzinfo=UTC)
YEAR = Retention(receipts_days=365, exception_events_days=365, quarantine_days=365)
ALL = Retention(receipts_days=300, exception_events_days=300, quarantine_days=300, archive_days=300)
DAY_US = 86_400_000_000
SPLIT = "FROM app_cost ORDER BY ALL"
ROWS = (
    "SELECT (SELECT count(*) FROM receipt), (SELECT count(*) FROM exception_event),"
    " (SELECT count(*) FROM receipt_meters), (SELECT count(*) FROM receipt_price),"
    " (SELECT count(*) FROM receipt_anchor)"
)


@pytest.fixture(scope="module")
def closed(synced_warehouse, tmp_path_factory):
    """A closed month: 21 and 22 September, billed, archived; a foreign file in quarantine."""
    home = tmp_path_factory.mktemp("closed") / "home"
    home.mkdir()
    shutil.copy(synced_warehouse, home / WAREHOUSE_FILE)
    outboxes = [
        left_behind(home, *map(receipt, range(1, 6)), event(6)),
        left_behind(home, receipt(7, occurred_at_us=START_US + DAY_US), name="second"),
    ]
    (home / "backup").mkdir()
    for path in outboxes:
        shutil.copy(path, home / "backup")
        shutil.copy(f"{path}-wal", home / "backup")
    (home / "outbox" / "foreign.db").write_bytes(b"no outbox")
    with open_warehouse(home) as con:
        add_total(con, TypedTotal("openai", "2026-09", "60.00", "USD"), NOW)
    reconcile([home], NOW, {})
    with open_warehouse(home) as con:
        con.execute("UPDATE reconciliation SET status = 'frozen'")
        archive(con, home, NOW)
    return home


@pytest.fixture
def home(closed, tmp_path):
    home = shutil.copytree(closed, tmp_path / "home")
    with open_warehouse(home) as con:
        # Where the file was moved to is part of its record.
        con.execute(
            "UPDATE quarantined_file SET moved_to = replace(moved_to, ?, ?)",
            [str(closed), str(home)],
        )
    return home


@pytest.fixture
def con(home):
    with open_warehouse(home) as con:
        yield con


def outcome(report):
    return [(found.kind, found.rows, found.kept_because) for found in report.candidates]


def test_without_terms_nothing_is_removed(con, home):
    assert purge(con, home, Retention(), LATER).candidates == ()


def test_what_is_younger_than_its_term_stays(con, home):
    assert purge(con, home, YEAR, datetime(2027, 9, 21, 23, tzinfo=UTC)).candidates == ()


def test_rows_of_a_closed_period_go_with_all_that_was_derived(con, home):
    report = purge(con, home, YEAR, LATER)

    assert con.execute(ROWS).fetchone() == (0, 0, 0, 0, 0)
    assert outcome(report) == [
        ("exception_events", 1, None),
        ("receipts", 5, None),
        ("receipts", 1, None),
        ("quarantine", 0, None),
    ]


def test_split_of_the_bill_stays(con, home):
    before = con.execute(SPLIT).fetchall()

    purge(con, home, YEAR, LATER)
    con.close()
    reconcile([home], LATER, {})

    with open_warehouse(home) as reopened:
        assert reopened.execute(SPLIT).fetchall() == before != []


def test_costs_of_purged_receipts_are_in_the_archive(con, home):
    purge(con, home, YEAR, LATER)

    files = f"read_parquet('{home}/archive/receipt_details/*/*.parquet')"
    assert duckdb.sql(f"SELECT count(*), sum(anchored_cost)::INTEGER FROM {files}").fetchall() == [
        (6, 60)
    ]


def test_purged_rows_are_still_proven(con, home):
    purge(con, home, YEAR, LATER)
    con.close()
    reconcile([home], LATER, {})

    with open_warehouse(home) as reopened:
        report = verify(reopened, [home])

    assert report.first_fault is None
    assert "each once, 7 older ones in the archive" in report.links[1].proven


def test_archive_that_was_changed_after_the_purge_is_named(con, home, closed):
    purge(con, home, YEAR, LATER)
    path = home / "archive/receipts/day=2026-09-22/0001.parquet"
    con.execute(
        f"COPY (SELECT * REPLACE ('x' AS team) FROM '{path}') TO '{path}x' (FORMAT parquet)"
    )
    path.with_name(f"{path.name}x").replace(path)

    faults = verify(con, [home]).links[1].faults

    assert faults == (
        "outbox id-of-second: rows 1 to 1 are not as they were shipped (1 of 1 are there), "
        f"from '{closed}/outbox/second.db'",
    )


@pytest.mark.parametrize("retention", [YEAR, ALL])
def test_outbox_that_comes_back_after_the_purge_is_known(con, home, retention):
    for _ in range(2):
        purge(con, home, retention, LATER)
    shutil.copytree(home / "backup", home / "outbox", dirs_exist_ok=True)
    shutil.copy(home / "backup" / "writer.db", home / "outbox" / "clone.db")
    shutil.copy(home / "backup" / "writer.db-wal", home / "outbox" / "clone.db-wal")

    report = ship(con, [home], LATER)

    assert (report.receipts, report.events) == (0, 0)
    assert con.execute(ROWS).fetchone() == (0, 0, 0, 0, 0)


def test_open_period_keeps_its_receipts(con, home):
    con.execute("UPDATE reconciliation SET status = 'reconciled'")

    assert outcome(purge(con, home, YEAR, LATER))[1:3] == [
        ("receipts", 5, "period 2026-09 is not closed"),
        ("receipts", 1, "period 2026-09 is not closed"),
    ]
    assert con.execute("SELECT count(*) FROM receipt").fetchone() == (6,)


def test_day_with_a_row_that_is_not_archived_stays(con, home):
    left_behind(home, receipt(8), name="late")
    ship(con, [home], NOW)

    assert outcome(purge(con, home, YEAR, LATER))[1] == (
        "receipts",
        6,
        "not archived yet; run: anchor archive",
    )


def test_day_whose_archive_rotted_stays(con, home):
    (home / "archive/receipts/day=2026-09-21/0001.parquet").write_bytes(b"rot")

    report = purge(con, home, YEAR, LATER)

    assert "is not the one that was written: 3 bytes" in report.kept[0].kept_because
    assert con.execute("SELECT count(*) FROM receipt").fetchone() == (5,)


def test_dry_run_says_the_same_and_removes_nothing(con, home):
    told = purge(con, home, YEAR, LATER, dry_run=True)
    left = con.execute(ROWS).fetchone(), sorted(home.rglob("*"))

    assert left == (con.execute(ROWS).fetchone(), sorted(home.rglob("*")))
    assert left[0][0] == 6
    assert outcome(told) == outcome(purge(con, home, YEAR, LATER))


def test_archive_goes_after_its_rows(con, home):
    kinds = [found.kind for found in purge(con, home, ALL, LATER).going]

    assert kinds.count("archive") == 5
    assert list((home / "archive").rglob("*.parquet")) == []
    con.close()
    reconcile([home], LATER, {})
    with open_warehouse(home) as reopened:
        assert verify(reopened, [home]).first_fault is None
        assert archive(reopened, home, LATER, retention=ALL).files == ()


def test_quarantined_file_goes_and_its_record_stays(con, home):
    purge(con, home, YEAR, LATER)

    assert list((home / "quarantine").iterdir()) == []
    assert con.execute("SELECT count(*) FROM quarantined_file").fetchone() == (1,)


def test_record_that_points_elsewhere_removes_nothing(con, home):
    precious = home / "precious.txt"
    precious.write_text("not ours", "utf-8")
    con.execute("UPDATE quarantined_file SET moved_to = ?", [str(precious)])

    purge(con, home, YEAR, LATER)

    assert precious.exists()


# -- what readers see of it --

DETAIL = ("receipts", "usage_lines", "exception_events")


def report_of(home, *queries, path=None):
    """What queries on the published report return."""
    with duckdb.connect(str(path or home / REPORT_FILE), read_only=True) as report:
        return [report.execute(query).fetchall() for query in queries]


def detail_of(home):
    """Every row of the relations that a purge touches, and the types of their columns."""
    asked = [f"FROM {name} ORDER BY ALL" for name in DETAIL]
    return report_of(home, *asked, *(f"DESCRIBE {name}" for name in DETAIL))


def how_many(home):
    return [rows[0][0] for rows in report_of(home, *(f"SELECT count(*) FROM {n}" for n in DETAIL))]


def purge_and_publish(home, retention=YEAR):
    with open_warehouse(home) as con:
        purge(con, home, retention, LATER)
        publish(con, home, LATER)


def test_every_row_reads_the_same_before_the_purge_and_after_it(home):
    before = detail_of(home)

    purge_and_publish(home)

    assert [len(rows) for rows in before[:3]] == [6, 12, 1]
    assert detail_of(home) == before
    assert report_of(home, "SELECT count(*) FROM kept_rows.receipts") == [[(0,)]]


def test_receipt_that_comes_after_the_purge_counts_once(home):
    counts = []
    purge_and_publish(home)
    left_behind(home, receipt(8), name="late")
    reconcile([home], NOW, {})
    counts.append(how_many(home))
    with open_warehouse(home) as con:
        con.execute("UPDATE reconciliation SET status = 'frozen'")
        archive(con, home, LATER)
        publish(con, home, LATER)
    counts.append(how_many(home))
    purge_and_publish(home)
    counts.append(how_many(home))

    assert counts == [[7, 14, 1]] * 3


def test_purge_that_was_killed_before_it_removed_doubles_nothing(home):
    def die(step):
        if step == "purge.checked":
            raise Died

    with open_warehouse(home) as con:
        with pytest.raises(Died), crash_points.watched(die):
            purge(con, home, Retention(receipts_days=365), LATER)
        publish(con, home, LATER)

    assert (home / "archive/receipt_details").exists()
    assert how_many(home) == [6, 12, 1]


def test_copied_report_without_the_archive_names_the_file_it_lacks(home, tmp_path):
    purge_and_publish(home)
    copy = shutil.copy(home / REPORT_FILE, tmp_path / "copy.duckdb")
    (home / "archive").rename(tmp_path / "elsewhere")

    with pytest.raises(duckdb.IOException, match=r"receipt_details/day=2026-09-21/0001\.parquet"):
        report_of(home, "SELECT sum(anchored_cost) FROM receipts", path=copy)
    assert report_of(home, "SELECT sum(anchored_cost)::INTEGER FROM app_costs", path=copy) == [
        [(60,)]
    ]


@pytest.mark.parametrize("late", [(), (receipt(8),)])
def test_lost_file_is_a_finding_and_no_wrong_sum(home, late):
    purge_and_publish(home)
    left_behind(home, *late, name="late")
    (home / "archive/receipt_details/day=2026-09-22/0001.parquet").unlink()

    (found,) = [each for each in reconcile([home], NOW, {}).findings if "is gone" in each]

    assert "receipt_details/day=2026-09-22/0001.parquet' is gone, and its receipts are" in found
    for query in ("SELECT count(*) FROM receipts", "SELECT sum(cost_usd) FROM usage_lines"):
        with pytest.raises(duckdb.InvalidInputException, match="was gone when this report was"):
            report_of(home, query)
    assert report_of(home, "SELECT count(*) FROM kept_rows.receipts") == [[(len(late),)]]


def test_verify_names_a_lost_file_and_what_cannot_be_queried(home):
    purge_and_publish(home)
    (home / "archive/receipt_details/day=2026-09-22/0001.parquet").unlink()

    with open_warehouse(home) as con:
        faults = [fault for link in verify(con, [home]).links for fault in link.faults]

    assert "2026-09-22/0001.parquet' cannot be read: No such file" in faults[0]
    assert "report.duckdb' cannot be queried: IO Error: No files found" in faults[1]


def test_rows_whose_archive_went_are_in_no_view(home):
    purge_and_publish(home, ALL)

    assert how_many(home) == [0, 0, 0]


def test_command_publishes_what_it_left(home):
    (home / "anchor.toml").write_text("[retention]\nreceipts_days = 1\n")

    main(["purge", "--home", str(home)])

    assert report_of(home, "SELECT count(*) FROM kept_rows.receipts") == [[(0,)]]
    assert how_many(home) == [6, 12, 1]


class Died(BaseException):
    """Stands for SIGKILL at a step."""


STEPS = 32
"""A purge of all passes so many; far fewer would mean that the steps are no longer told."""


def steps_of(run):
    passed = []
    with crash_points.watched(passed.append):
        run()
    return passed


def die_at(number, run):
    left = number

    def observe(_):
        nonlocal left
        left -= 1
        if left < 0:
            raise Died

    with pytest.raises(Died), crash_points.watched(observe):
        run()


def what_is_left(con, home):
    """Rows, keys, records and files; not when anything was done."""
    return (
        con.execute(ROWS).fetchone(),
        con.execute("SELECT row_id FROM purged_row ORDER BY ALL").fetchall(),
        con.execute(
            "SELECT relation, day, part, row_count, removed_at FROM archive_file ORDER BY ALL"
        ).fetchall(),
        con.execute("SELECT reason, removed_at FROM quarantined_file").fetchall(),
        sorted(
            str(path.relative_to(home)) for path in home.rglob("*") if "warehouse" not in path.name
        ),
    )


@pytest.mark.slow
def test_killed_at_each_step_it_ends_alike(closed, home, tmp_path):
    with open_warehouse(home) as con:
        steps = steps_of(lambda: purge(con, home, ALL, LATER))
        undisturbed = what_is_left(con, home)
    assert len(steps) >= STEPS

    for number, step in enumerate(steps):
        other = shutil.copytree(closed, tmp_path / str(number) / "home")
        with open_warehouse(other) as con:
            con.execute(
                "UPDATE quarantined_file SET moved_to = replace(moved_to, ?, ?)",
                [str(closed), str(other)],
            )
            die_at(number, lambda: purge(con, other, ALL, LATER))  # noqa: B023 - called at once
            purge(con, other, ALL, LATER)
            assert what_is_left(con, other) == undisturbed, f"killed at step {number} ({step})"
        shutil.rmtree(other)


def test_command_prints_what_would_go_and_what_stays(home, capsys):
    (home / "anchor.toml").write_text("[retention]\nquarantine_days = 1\nreceipts_days = 1\n")

    code = main(["purge", "--home", str(home), "--dry-run", "--json"])

    told = json.loads(capsys.readouterr().out)
    assert (code, told["dry_run"], told["retention"]["receipts_days"]) == (0, True, 1)
    assert {found["kind"] for found in told["candidates"]} == {"receipts", "quarantine"}


def test_command_without_terms_says_so(home, capsys):
    assert main(["purge", "--home", str(home)]) == 0
    assert capsys.readouterr().out.startswith("Nothing has a term, all is kept")
