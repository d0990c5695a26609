"""A disk that is full: the application does not notice, and the job drains it all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from anchor_autopatch.job.ballast import BALLAST_BYTES, BALLAST_FILE, room_to_work
from tests.chaos.support import SOURCES, run_script
from tests.host.support import environment

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(tmp_path):
    """A function that mounts a disk of some megabytes; root alone may."""
    mounted = tmp_path / "disk"
    mounted.mkdir()

    def mount(megabytes):
        if os.geteuid() != 0:
            pytest.skip("only root can mount a disk")
        options = f"size={megabytes}m,mode=0700"
        command = ["mount", "-t", "tmpfs", "-o", options, "anchor-test", str(mounted)]
        if subprocess.run(command, check=False, capture_output=True).returncode != 0:
            pytest.skip("no disk can be mounted here")
        return mounted

    yield mount
    subprocess.run(["umount", str(mounted)], check=False, capture_output=True)


def fill(disk, leave):
    """Somebody else takes all of the disk but so many bytes."""
    found = os.statvfs(disk)
    with (disk / "somebody-else").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_frsize - leave)


def free_bytes(disk):
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


def anchor(home, command):
    """Runs a command of ours; returns it when it has ended."""
    return subprocess.run(
        [sys.executable, "-c", "from anchor_autopatch.cli import main; exit(main())", command],
        env=environment(home, hook=False, path=SOURCES),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def receipts(home):
    with duckdb.connect(str(home / "warehouse.duckdb")) as con:
        return con.execute("SELECT count(*), count(DISTINCT response_id) FROM receipt").fetchone()


def test_disk_that_receipts_fill_is_drained_by_the_first_job(disk):
    home = disk(256)
    fill(home, leave=40_000_000)

    durable, waiting = map(int, run_script("tests.chaos.filling", 6_000, home=home))
    shipped = anchor(home, "ship")

    assert waiting > 0
    assert durable + waiting == 6_000
    assert (shipped.returncode, shipped.stderr) == (0, "")
    assert receipts(home) == (durable, durable)
    assert list(Path(home, "outbox").glob("*.db")) == []


def test_disk_that_others_fill_is_drained_with_the_ballast(disk):
    home = disk(256)
    run_script("tests.chaos.filling", 50, home=home)
    assert anchor(home, "ship").returncode == 0
    run_script("tests.chaos.filling", 2_000, home=home)
    fill(home, leave=0)
    assert free_bytes(home) == 0

    shipped = anchor(home, "ship")

    assert (shipped.returncode, shipped.stderr) == (0, "")
    assert receipts(home) == (2_050, 2_000)
    assert not (home / BALLAST_FILE).exists()


def test_ballast_is_taken_again_when_there_is_room(disk):
    home = disk(256)
    with room_to_work(home):
        pass
    assert (home / BALLAST_FILE).stat().st_blocks * 512 >= BALLAST_BYTES
    fill(home, leave=0)

    with room_to_work(home):
        assert not (home / BALLAST_FILE).exists()
    (home / "somebody-else").unlink()
    with room_to_work(home):
        pass

    assert (home / BALLAST_FILE).exists()
