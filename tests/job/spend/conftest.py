"""An empty world of money for each test."""

from __future__ import annotations

import pytest

from tests.job.delivery.faulty_sink import FaultySink
from tests.job.spend.support import Money


@pytest.fixture
def money(tmp_path):
    """Nobody is told of anything."""
    return Money(tmp_path)


@pytest.fixture
def sink():
    """A receiver on the loopback."""
    with FaultySink() as running:
        yield running


@pytest.fixture
def told(tmp_path, sink):
    """A world whose alerts go to the receiver."""
    return Money(tmp_path, sink)
