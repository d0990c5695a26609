"""A home that cannot be written is nobody's problem but ours: no error, no print, exact counts."""

from __future__ import annotations

import os
import shutil
import sqlite3

import pytest

from anchor_autopatch import flush, record
from anchor_autopatch.host.storage import outbox_file, writer
from tests.host.support import metadata, read_outboxes, run_python

RECORD = (
    "import os, sys, resource\n"
    "from anchor_autopatch import record, flush\n"
    "def call(count=1):\n"
    "    for _ in range(count):\n"
    "        record({'usage': {'prompt_tokens': 3, 'completion_tokens': 4}}, provider='openai')\n"
)


NO_SIGXFSZ = "import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"


def call(count=1):
    for _ in range(count):
        record({"usage": {"prompt_tokens": 3}}, provider="openai")


def silent(done):
    return (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("place", ["/dev/null/home", "/proc/anchor-home"])
def test_home_that_cannot_be_made(home, place):
    done = run_python("-c", f"{RECORD}call(3)", home=home, ANCHOR_HOME=place)

    assert silent(done)
    assert len(read_outboxes(home / "state" / "anchor")[0]) == 3


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o707])
def test_folder_that_others_may_write_is_refused(home, mode):
    (home / "open").mkdir()
    (home / "open").chmod(mode)

    done = run_python("-c", f"{RECORD}call(3)", home=home, ANCHOR_HOME=str(home / "open"))

    assert silent(done)
    assert list((home / "open").iterdir()) == []
    assert len(read_outboxes(home / "state" / "anchor")[0]) == 3


def test_folder_of_somebody_else_is_refused(home):
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    (home / "theirs").mkdir(mode=0o700)
    os.chown(home / "theirs", 65534, 65534)

    done = run_python("-c", f"{RECORD}call(3)", home=home, ANCHOR_HOME=str(home / "theirs"))

    assert silent(done)
    assert list((home / "theirs").iterdir()) == []


def test_link_in_the_place_of_the_file_is_not_followed(home, monkeypatch, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (home / "outbox").mkdir(mode=0o700)
    (home / "outbox" / "known.db").symlink_to(victim)
    monkeypatch.setattr(outbox_file, "_file_name", lambda: "known.db")

    call()

    assert victim.read_text() == "precious"


@pytest.mark.parametrize("everywhere", [True, False])
def test_full_disk_is_not_noticed(home, everywhere):
    # A file may hold 60 kB: some rows fit, then no file can take more than that.
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
    state = {} if everywhere else {"XDG_STATE_HOME": str(home)}

    done = run_python("-c", f"{NO_SIGXFSZ}{RECORD}{limit}call(400)", home=home, **state)

    assert silent(done)


def test_disk_too_full_for_any_file_keeps_rows_in_memory(home):
    code = f"""{NO_SIGXFSZ}{RECORD}
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
call(50)
waiting = flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(waiting, flush())
"""
    done = run_python("-c", code, home=home)

    assert (done.stdout, done.stderr) == ("50 0\n", "")
    assert len(read_outboxes(home)[0]) == 50


def test_rows_in_memory_are_written_when_the_process_leaves(home):
    code = f"""{NO_SIGXFSZ}{RECORD}
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
call(50)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""
    done = run_python("-c", code, home=home)

    assert silent(done)
    assert len(read_outboxes(home)[0]) == 50


def test_unwritable_home_does_not_use_up_file_descriptors(home):
    code = f"""{NO_SIGXFSZ}{RECORD}
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
call(1)
before = len(os.listdir("/proc/self/fd"))
for _ in range(20):
    call(1); flush()
print(len(os.listdir("/proc/self/fd")) - before)
"""
    assert run_python("-c", code, home=home).stdout == "0\n"


def test_failed_tries_leave_no_files_behind(home):
    code = f"""{NO_SIGXFSZ}{RECORD}
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
for _ in range(20):
    call(1); flush()
"""
    run_python("-c", code, home=home)

    assert [path for path in home.rglob("*") if path.is_file()] == []


class TestQueue:
    """What waits in memory while no folder can be written."""

    @pytest.fixture
    def unwritable(self, home, monkeypatch):
        monkeypatch.setenv("ANCHOR_HOME", "/dev/null/home")
        monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/state")
        return lambda: monkeypatch.setenv("ANCHOR_HOME", str(home))

    def test_queue_is_drained_in_order(self, unwritable, home, receipts):
        call(20)
        assert flush() == 20

        unwritable()

        assert flush() == 0
        assert len(receipts()) == 20

    def test_queue_is_bounded_and_counts_what_it_drops(self, unwritable, home, monkeypatch):
        monkeypatch.setattr(writer, "MEMORY_LIMIT", 30)
        call(50)

        unwritable()
        flush()

        (path,) = home.glob("outbox/*.db")
        assert len(read_outboxes(home)[0]) == 30
        assert metadata(path)["rows_dropped_before"] == "20"

    def test_file_says_why_it_was_opened_late(self, unwritable, home):
        call()

        unwritable()
        flush()

        (path,) = home.glob("outbox/*.db")
        assert "/dev/null" in metadata(path)["opened_after"]


class TestBrokenFile:
    """A file that fails while it is in use."""

    @pytest.fixture
    def failing(self, monkeypatch):
        """Makes the next `times` inserts fail as a full disk does."""

        def fail(times):
            left, insert = [times], outbox_file.OutboxFile.insert

            def failing(self, *arguments):
                if left[0] > 0:
                    left[0] -= 1
                    raise sqlite3.OperationalError("database or disk is full")
                return insert(self, *arguments)

            monkeypatch.setattr(outbox_file.OutboxFile, "insert", failing)

        return fail

    @pytest.mark.parametrize("times", [1, 2, 3, 5])
    def test_no_row_is_lost(self, home, failing, times, tmp_path):
        call(3)
        failing(times)

        call(4)
        for _ in range(times):
            flush()

        rows = read_outboxes(home)[0] + read_outboxes(tmp_path / "state" / "anchor")[0]
        assert len(rows) == 7

    def test_folder_removed_under_it(self, home, receipts):
        call()
        shutil.rmtree(home / "outbox")

        call(5)

        assert flush() == 0

    def test_writing_lock_held_by_another_process(self, home, tmp_path):
        call()
        (path,) = home.glob("outbox/*.db")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        call(3)
        other.execute("ROLLBACK")
        other.close()
        call()
        flush()

        rows = read_outboxes(home)[0] + read_outboxes(tmp_path / "state" / "anchor")[0]
        assert len(rows) == 5
