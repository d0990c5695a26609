"""Every call that returned has its receipt on disk, however its process ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.host.support import environment, read_outboxes

# Five hundred calls take 4 s, and 40 at a load of 10: what ends them must not be our impatience.
pytestmark = pytest.mark.slow
ENDS = {"SIGKILL": -signal.SIGKILL, "SIGTERM": -signal.SIGTERM}
"""Return codes, where they are not 0: anything else ended the application before its last call."""
APPLICATION = Path(__file__).with_name("calling_app.py")


@pytest.mark.parametrize(
    "ending", ["SIGKILL", "SIGTERM", "os._exit", "sys.exit", "os.fork", "fork", "spawn"]
)
def test_no_call_is_lost_or_doubled(home, simulator, ending):
    variables = environment(home, **simulator.environment())

    done = subprocess.run(
        [sys.executable, APPLICATION, ending], env=variables, check=False, timeout=300
    )

    receipts, events = read_outboxes(home)
    assert (done.returncode, events) == (ENDS.get(ending, 0), [])
    assert len(simulator.ledger()) == len(receipts) == 500
    assert {r.response_id for r in receipts} == {r["response_id"] for r in simulator.ledger()}
