"""A writer that is killed at, or told of an error by, each of its system calls in turn."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter

import pytest

from tests.chaos.support import CHECKOUT, SOURCES, settle_account
from tests.host.support import environment

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
CALLS = ("pwrite64", "fdatasync", "ftruncate", "unlink")
WHOLE = "undisturbed-000"
"""As long as the other writers' names, or it would make other calls."""
FAULTS = {"SIGKILL": "signal=SIGKILL", "ENOSPC": "error=ENOSPC", "EIO": "error=EIO"}


def traced(home, name, *options):
    """Runs the writer under strace; returns what it told and how it ended."""
    return subprocess.run(
        ["strace", "-f", "-qqq", *options, sys.executable, "-m", "tests.chaos.traced", name],
        env=environment(home, hook=False, path=SOURCES),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def counted(home, tmp_path):
    """How often an undisturbed writer makes each of the calls."""
    log = tmp_path / "strace"
    traced(home, WHOLE, "-o", str(log), "-e", f"trace={','.join(CALLS)}")
    return Counter(re.findall(r"^\d+ +(\w+)\(", log.read_text(), re.MULTILINE))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "every",
    [pytest.param(12, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.chaos)],
)
@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_acknowledged_is_lost(synced_home, tmp_path, tell, fault, every):
    acknowledged = [f"{WHOLE}-{number}" for number in range(10)]
    places = [
        (call, number)
        for call, times in sorted(counted(synced_home, tmp_path).items())
        for number in range(1, times + 1)
    ][::every]
    noticed, died = [], 0

    for call, number in places:
        inject = f"inject={call}:{FAULTS[fault]}:when={number}"
        log = ["-o", os.devnull, "-e", f"trace={call}"]
        done = traced(synced_home, f"{call:-<11}-{number:03}", *log, "-e", inject)
        died += done.returncode != 0
        acknowledged += done.stdout.split()
        if fault != "SIGKILL" and (done.returncode, done.stderr) != (0, ""):
            noticed.append((call, number, done.returncode, done.stderr))

    account = settle_account(synced_home, dict.fromkeys(acknowledged))
    tell(f"{len(places)} times {fault}, {account}")
    assert (died, noticed) == (len(places) if fault == "SIGKILL" else 0, [])
    assert (account.lost, account.doubled) == ([], 0)
    # Death leaves nothing for a person to look at; of a file that failed, its name may be told.
    assert fault != "SIGKILL" or account.findings == []
