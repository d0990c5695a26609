"""Real faults of the disk under a running application: it sees no error and hardly any delay.

Each application measures its slowest call; of a few runs the best one counts, since other work on
the machine delays calls too. What waited in memory is on the disk when the fault is gone.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.host.support import read_outboxes, run_python

pytestmark = pytest.mark.slow
WORST_MS = 50
APPLICATION = """
import os, resource, sqlite3, subprocess, sys, time
from anchor_autopatch import flush, record
from anchor_autopatch.host.storage import outbox
HOME = os.environ["ANCHOR_HOME"]
worst = 0
def call(count):
    global worst
    for _ in range(count):
        began = time.perf_counter()
        record({"usage": {"prompt_tokens": 3}}, provider="openai")
        worst = max(worst, time.perf_counter() - began)
def remount(options):
    subprocess.run(["mount", "-o", "remount," + options, HOME], check=True)
def limit(what, value):
    resource.setrlimit(what, (value, resource.getrlimit(what)[1]))
"""
FULL = """
call(20)
file = os.open(HOME + "/somebody-else", os.O_CREAT | os.O_WRONLY)
try:
    while True:
        os.write(file, bytes(4096))
except OSError:
    os.close(file)
call(200)
full = len(outbox.own_writer().waiting)
os.unlink(HOME + "/somebody-else")
print(full, flush(), worst * 1000)
"""
READ_ONLY = """
remount("ro")
call(200)
waited = len(outbox.own_writer().waiting)
remount("rw")
print(waited, flush(), worst * 1000)
"""
NO_DESCRIPTORS = """
call(1)
outbox.own_writer()._lose_file(OSError("as after a write error"))
while outbox.own_writer().housekeeper.running: time.sleep(0.001)
taken = []
limit(resource.RLIMIT_NOFILE, 64)
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
call(200)
waited = len(outbox.own_writer().waiting)
for descriptor in taken:
    os.close(descriptor)
print(waited, flush(), worst * 1000)
"""
NO_ACCESS = """
os.chown(HOME, 65534, 65534)
os.setegid(65534); os.seteuid(65534)
call(1)
os.chmod(HOME + "/outbox", 0)
outbox.own_writer()._lose_file(OSError("as after a write error"))
call(200)
waited = len(outbox.own_writer().waiting)
os.chmod(HOME + "/outbox", 0o700)
print(waited, flush(), worst * 1000)
"""
LOCKED = """
call(1)
other = sqlite3.connect(outbox.own_writer().file.path, isolation_level=None)
other.execute("BEGIN IMMEDIATE")
call(200)
other.execute("ROLLBACK")
other.close()
call(1)
print(1, flush(), worst * 1000)
"""
FAULTS = {
    "ENOSPC": (FULL, 220),
    "EROFS": (READ_ONLY, 200),
    "EMFILE": (NO_DESCRIPTORS, 201),
    "EACCES": (NO_ACCESS, 201),
    "lock held": (LOCKED, 202),
}


@pytest.fixture
def disk():
    """A disk of 8 MB that holds both homes; root alone may mount one."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk and give a folder away")
    # Not below pytest's own folder, which other users may not enter.
    mounted = Path(tempfile.mkdtemp(prefix="anchor-disk-"))
    command = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "anchor-test", str(mounted)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        mounted.rmdir()
        pytest.skip("no disk can be mounted here")
    yield mounted
    subprocess.run(["umount", str(mounted)], check=False, capture_output=True)
    mounted.rmdir()


@pytest.mark.parametrize("fault", FAULTS)
def test_application_is_not_harmed(disk, fault):
    code, rows = FAULTS[fault]
    slowest = []

    for _ in range(3):
        variables = {"XDG_STATE_HOME": str(disk / "state")}
        done = run_python("-c", APPLICATION + code, home=disk, **variables)
        waited, still_waiting, worst = done.stdout.split()
        slowest.append(float(worst))
        assert (int(waited) > 0, still_waiting, done.stderr) == (True, "0", "")

    kept = sum(len(read_outboxes(home)[0]) for home in (disk, disk / "state" / "anchor"))
    assert kept == 3 * rows
    assert min(slowest) <= WORST_MS, slowest
