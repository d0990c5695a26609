"""100,000 failures in eight processes: one incident, an exact count, one message, 5 MB at most."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fleet.test_first_notification import Watched
from tests.host.support import environment
from tests.host.telling import FAIL, operator
from tests.job.delivery.faulty_sink import FaultySink

CHECKOUT = Path(__file__).resolve().parents[2]
EACH, PROCESSES = 12_500, 8


@pytest.mark.slow
def test_storm_is_one_incident_one_message_and_five_megabytes(tmp_path):
    tmp_path.chmod(0o700)
    script = f"{FAIL}\n[fail() for _ in range({EACH})]; told()"
    with FaultySink() as sink:
        given = environment(tmp_path, **operator(sink))
        running = [
            subprocess.Popen([sys.executable, "-c", script], env=given, cwd=CHECKOUT)
            for _ in range(PROCESSES)
        ]
        codes = [process.wait(300) for process in running]
        size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
        watched = Watched(tmp_path, sink)
        watched.round(seconds=1)

        assert codes == [0] * PROCESSES
        assert (watched.only().event_count, watched.only().call_count) == (EACH * PROCESSES,) * 2
        assert len(sink.received) == 1
        assert size < 5_000_000
