"""A full file is sealed and the next one begun, off the application's threads."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from anchor_autopatch import flush, record
from anchor_autopatch.host.storage import filesystems, outbox, outbox_file, quota
from tests.host.support import metadata, read_file, read_outboxes, run_python

_EACH_LOOK = 64


def call(count=1):
    for _ in range(count):
        record({"usage": {"prompt_tokens": 3}}, provider="openai")


def settled():
    """Waits until the housekeeper has done what it began."""
    while outbox.own_writer().housekeeper.running:
        time.sleep(0.001)


def files(home):
    return sorted(home.glob("outbox/*.db"))


@pytest.fixture
def sealing(monkeypatch):
    """Files are full at once; their size is looked at every 64 rows."""
    monkeypatch.setattr(outbox_file, "SEAL_BYTES", 1)


def test_full_file_is_closed_and_left_to_the_job(home, sealing):
    call(_EACH_LOOK)
    settled()
    call(3)

    rows = {str(path): len(read_file(path)[0]) for path in files(home)}
    assert sorted(rows.values()) == [3, _EACH_LOOK]
    in_use = outbox.own_writer().file.path
    assert rows[in_use] == 3
    assert [str(log) for log in (home / "outbox").glob("*-wal")] == [f"{in_use}-wal"]


def test_sealed_file_is_given_back_to_the_system(home, sealing):
    call(_EACH_LOOK)
    settled()
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())

    for _ in range(5):
        call(_EACH_LOOK)
        settled()

    assert len(files(home)) == 7
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before


def test_file_of_an_hour_is_sealed(home, monkeypatch):
    monkeypatch.setattr(outbox_file, "SEAL_SECONDS", 0.0)

    call(_EACH_LOOK)
    settled()
    call()

    assert len(files(home)) == 2


def test_many_threads_lose_nothing_at_a_change(home, sealing):
    threads = [threading.Thread(target=call, args=(400,)) for _ in range(6)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settled()

    assert len(read_outboxes(home)[0]) == 2400
    assert len(files(home)) >= 2


def test_full_file_is_kept_where_no_other_can_be_made(home, sealing, monkeypatch):
    call()
    monkeypatch.setattr(outbox_file, "_OVERFULL", 10**9)
    monkeypatch.setattr(outbox.Writer, "_make_file", lambda self: None)

    call(3 * _EACH_LOOK)
    settled()

    assert len(read_outboxes(home)[0]) == 3 * _EACH_LOOK + 1


class TestQuota:
    """What unshipped outboxes may take together."""

    @pytest.fixture
    def over(self, home, monkeypatch):
        """Both homes are over their quota; a function that ships what lies there."""
        monkeypatch.setenv("XDG_STATE_HOME", str(home.parent))
        monkeypatch.setenv("ANCHOR_HOME", str(home.parent / "anchor"))
        monkeypatch.setenv(quota.VARIABLE, "1")
        (home.parent / "anchor" / "outbox").mkdir(mode=0o700, parents=True)
        (home.parent / "anchor").chmod(0o700)
        heap = home.parent / "anchor" / "outbox" / "unshipped.db"
        heap.write_bytes(bytes(1_000_001))
        return heap.unlink

    def test_no_file_is_made_beyond_it(self, home, over):
        call(3)

        assert flush() == 3
        assert "take 1 of 1 MB" in outbox.own_writer().reason

    def test_rows_are_written_when_the_job_has_shipped(self, home, over):
        call(3)

        over()

        assert flush() == 0
        receipts, (event,) = read_outboxes(home.parent / "anchor")
        assert len(receipts) == 3
        assert event.message.startswith("0 rows were lost and 3 waited in memory: ")

    def test_process_that_is_not_shipped_stops_at_four_files(self, home, over, sealing):
        over()
        call()
        (home.parent / "anchor" / "outbox" / "unshipped.db").write_bytes(bytes(1_000_001))

        call(2 * _EACH_LOOK)
        settled()
        call()

        assert outbox.own_writer().file is None
        assert flush() >= 1

    @pytest.mark.parametrize("given", ["", "-1", "many", "1e9"])
    def test_limit_that_cannot_be_read_is_the_default(self, monkeypatch, given):
        monkeypatch.setenv(quota.VARIABLE, given)

        assert quota.limit_mb() == quota.DEFAULT_MB


MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /home rw - nfs4 server:/home rw,vers=4.2
31 30 0:41 / /home/local rw - xfs /dev/sdb rw
32 22 0:42 / /mnt/my\\040share rw - cifs //server/share rw
33 22 0:43 / /mnt/my\\040share/over rw - nfs server:/old rw
34 22 0:44 / /mnt/my\\040share/over rw - tmpfs tmpfs rw
"""


class TestNetwork:
    """Outboxes on a file system that keeps no shared memory coherent."""

    @pytest.mark.parametrize(
        ("folder", "expected"),
        [
            ("/home/me/anchor", "nfs4"),
            ("/home/local/anchor", None),
            ("/homes/me", None),
            ("/mnt/my share/anchor", "cifs"),
            ("/mnt/my share/over/anchor", None),
            ("/", None),
        ],
    )
    def test_type_is_that_of_the_nearest_mount(self, tmp_path, folder, expected):
        mounts = tmp_path / "mountinfo"
        mounts.write_text(MOUNTS)

        assert filesystems.network_type(folder, str(mounts)) == expected

    def test_unknown_system_is_taken_as_local(self, tmp_path):
        assert filesystems.network_type("/", str(tmp_path / "none")) is None

    def test_no_memory_is_shared_there(self, home, monkeypatch):
        monkeypatch.setattr(filesystems, "network_type", lambda folder: "nfs4")

        call(5)

        assert [path.name for path in (home / "outbox").glob("*-shm")] == []
        outbox.own_writer().file.close()
        assert len(read_outboxes(home)[0]) == 5

    def test_killed_writer_leaves_all_its_rows(self, home):
        code = (
            "import os, signal\n"
            "from anchor_autopatch import record\n"
            "from anchor_autopatch.host.storage import filesystems\n"
            "filesystems.network_type = lambda folder: 'nfs4'\n"
            "for _ in range(50):\n"
            "    record({'usage': {'prompt_tokens': 3}}, provider='openai')\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )

        run_python("-c", code, home=home, check=False)

        assert len(read_outboxes(home)[0]) == 50


def test_event_counts_what_was_lost(home, monkeypatch):
    monkeypatch.setenv("ANCHOR_HOME", "/dev/null/home")
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/state")
    monkeypatch.setattr("anchor_autopatch.host.storage.writer.MEMORY_LIMIT", 30)
    call(50)

    monkeypatch.setenv("ANCHOR_HOME", str(home))
    flush()

    receipts, (event,) = read_outboxes(home)
    assert (len(receipts), event.attempts, event.code) == (30, 20, "rows_lost")
    (path,) = files(home)
    assert metadata(path)["rows_dropped_before"] == "20"
