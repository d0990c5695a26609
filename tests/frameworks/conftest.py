"""The simulator, a home with a policy, and the folder in which the sample applications run."""

from __future__ import annotations

import pytest

from tests.frameworks.serving import Site
from tests.host.fixtures import home
from tests.sdk.conftest import simulator, simulator_process

__all__ = ["home", "simulator", "simulator_process"]

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
