"""A faulty sink, and a world of incidents whose alerts go there."""

from __future__ import annotations

import pytest

from anchor_autopatch.core.alerting.rules import Sink
from tests.job.delivery.faulty_sink import FaultySink
from tests.job.delivery.support import Alerted


@pytest.fixture
def sink():
    """A receiver on the loopback."""
    with FaultySink() as running:
        yield running


@pytest.fixture
def alerted(tmp_path, sink):
    """A home with one sink, the receiver."""
    return Alerted(tmp_path, [Sink("ops", "webhook", url=sink.url, allow_private=True)])
