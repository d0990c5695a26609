"""The simulator, a home with a policy, and the folder in which the sample applications run."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time

import pytest

from tests.frameworks.serving import Site, free_port
from tests.host.fixtures import events, home, policy
from tests.sdk.conftest import simulator, simulator_process

__all__ = ["events", "home", "policy", "simulator", "simulator_process"]

# Tests without a server run in this process, with the hook on: not into the user's own home.
os.environ.setdefault("ANCHOR_HOME", tempfile.mkdtemp(prefix="anchor-tests-"))

import anchor_autopatch

anchor_autopatch.install()

POLICY = """
[inbound]
trusted_networks = ["127.0.0.1/32"]
user_id = "header:x-user"
"""


@pytest.fixture
def site(home, simulator, tmp_path):
    """Starts servers and workers with the hook on, and judges what they leave."""
    (home / "anchor.toml").write_text(POLICY)
    with Site(home, simulator, tmp_path) as started:
        yield started


@pytest.fixture
def redis_url():
    """A Redis of this test's own, in memory only."""
    if shutil.which("redis-server") is None:
        pytest.skip("needs a real Redis: apt-get install redis-server")
    port = free_port()
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.05)
    else:
        pytest.fail(f"redis-server does not listen at port {port}")
    yield f"redis://127.0.0.1:{port}"
    process.terminate()
    process.wait(60)
