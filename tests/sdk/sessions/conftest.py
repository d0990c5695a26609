"""Sessions and calls that are no HTTP exchange, with the hook on, against local servers."""

from __future__ import annotations

import os
import tempfile

import pytest

from tests.host.fixtures import events, home, one_event, one_receipt, receipts
from tests.sdk import leftovers

__all__ = ["events", "home", "one_event", "one_receipt", "receipts"]

# Other tests of this session run with patched SDKs too: not into the user's own home.
os.environ.setdefault("ANCHOR_HOME", tempfile.mkdtemp(prefix="anchor-tests-"))

import anchor_autopatch

anchor_autopatch.install()


@pytest.fixture(autouse=True)
def _nothing_left_over(home):
    """Ends what a test leaves open."""
    yield
    leftovers.end()


@pytest.fixture
def sim_key():
    """A made-up key that must never reach the disk."""
    return "sk-test-0123456789abcdef0123"
