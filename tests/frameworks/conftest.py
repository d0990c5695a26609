"""The simulator, a home with a policy, and the folder in which the sample applications run."""

from __future__ import annotations

import os
import tempfile

import pytest

from tests.frameworks.serving import Site
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
