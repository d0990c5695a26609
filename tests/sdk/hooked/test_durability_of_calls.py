"""Every call that returned has its receipt on disk, however its process ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.host.support import environment, read_outboxes

pytestmark = pytest.mark.slow
APPLICATION = Path(__file__).with_name("calling_app.py")


@pytest.mark.parametrize(
    "ending", ["SIGKILL", "SIGTERM", "os._exit", "sys.exit", "os.fork", "fork", "spawn"]
)
def test_no_call_is_lost_or_doubled(home, simulator, ending):
    variables = environment(home, **simulator.environment())

    subprocess.run([sys.executable, APPLICATION, ending], env=variables, check=False, timeout=100)

    receipts, _ = read_outboxes(home)
    assert len(simulator.ledger()) == len(receipts) == 500
    assert {r.response_id for r in receipts} == {r["response_id"] for r in simulator.ledger()}
