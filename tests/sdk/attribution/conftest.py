"""Real SDKs and HTTP clients with the hook on, for what depends on who a call is for."""

from __future__ import annotations

import pytest

from tests.host.fixtures import events, home, one_event, one_receipt, policy, receipts
from tests.sdk import leftovers
from tests.sdk.hooked.conftest import (
    _anthropic_client,
    _gemini_client,
    _openai_client,
    anthropic_client,
    gemini_client,
    openai_client,
)
from tests.sdk.raw import ways
from tests.sdk.raw.server import Server

__all__ = [
    "_anthropic_client",
    "_gemini_client",
    "_openai_client",
    "anthropic_client",
    "events",
    "gemini_client",
    "home",
    "one_event",
    "one_receipt",
    "openai_client",
    "policy",
    "receipts",
]


@pytest.fixture(autouse=True)
def _nothing_left_over(home):
    """Asks for every host anew, and ends what a test leaves open."""
    from anchor_autopatch.host.clients import raw

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
