"""HTTP clients with the hook on, without any SDK: against the simulator and a server of our own."""

from __future__ import annotations

import os
import tempfile

import pytest

from tests.host.fixtures import events, home, one_event, one_receipt, receipts
from tests.sdk import leftovers
from tests.sdk.raw import ways
from tests.sdk.raw.server import Server

__all__ = ["events", "home", "one_event", "one_receipt", "receipts"]

# What other tests of this session leave must not reach the user's own home.
os.environ.setdefault("ANCHOR_HOME", tempfile.mkdtemp(prefix="anchor-tests-"))

import anchor_autopatch
from anchor_autopatch.host.clients import raw

anchor_autopatch.install()


@pytest.fixture(autouse=True)
def _nothing_left_over(home):
    """Asks for every host anew, and ends what a test leaves open."""
    raw.forget()
    yield
    while ways.unclosed:
        ways.unclosed.pop().close()
    leftovers.end()
    raw.open_bodies.pop_all()


@pytest.fixture
def server():
    """A server that answers what the test tells it to."""
    with Server() as running:
        yield running
