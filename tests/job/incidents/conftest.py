"""An empty world for each test."""

from __future__ import annotations

import pytest

from tests.job.incidents.support import World


@pytest.fixture
def world(tmp_path):
    """Outboxes and incidents of tmp_path; nobody is told of anything."""
    return World(tmp_path)
