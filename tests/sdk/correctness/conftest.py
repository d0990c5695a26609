"""Real SDKs with the hook on, for the rows of the table."""

from __future__ import annotations

from tests.host.fixtures import events, home, one_event, one_receipt, receipts
from tests.sdk.hooked.conftest import (
    _anthropic_client,
    _gemini_client,
    _nothing_left_over,
    _openai_client,
    _settled,
    anthropic_client,
    gemini_client,
    openai_client,
)

__all__ = [
    "_anthropic_client",
    "_gemini_client",
    "_nothing_left_over",
    "_openai_client",
    "_settled",
    "anthropic_client",
    "events",
    "gemini_client",
    "home",
    "one_event",
    "one_receipt",
    "openai_client",
    "receipts",
]
