"""An interaction that fails after billed hops: what was billed is booked, what failed is told."""

from __future__ import annotations

import json

import pytest
from google import genai

from tests.sdk.raw.server import Server

if not hasattr(genai.errors, "ContinuationInterruptedError"):
    pytest.skip("needs a google-genai that continues interactions", allow_module_level=True)

USAGE = {"total_input_tokens": 10, "total_output_tokens": 5, "total_tokens": 15}
HOP = {
    "id": "int-1",
    "object": "interaction",
    "model": "gemini-2.5-flash",
    "status": "requires_continuation",
    "continuation_token": "token-1",
    "steps": [{"type": "model_output", "content": [{"type": "text", "text": "half"}]}],
    "usage": USAGE,
}
ERROR = {"error": {"code": 500, "status": "INTERNAL", "message": "internal error"}}
JSON = {"content-type": "application/json"}


def test_hop_that_fails_leaves_the_hops_before_it_billed(home, one_receipt, events, incidents):
    with Server() as server:
        server.answer(json.dumps(HOP).encode(), headers=JSON, chunked=False)
        server.answer(json.dumps(ERROR).encode(), headers=JSON, chunked=False, status=500)
        options = {"base_url": server.url, "timeout": 60_000, "retry_options": {"attempts": 1}}
        with (
            genai.Client(api_key="k", http_options=options) as client,
            pytest.raises(genai.errors.ContinuationInterruptedError),
        ):
            client.interactions.create(
                model="gemini-2.5-flash", input="hello", automatic_continuation=True
            )

    assert (json.loads(one_receipt().raw_usage), one_receipt().outcome) == (USAGE, "ok")
    # One for each refused request: the error around them, which the application sees, is no more.
    tries = len(server.bodies) - 1
    assert [event.event_class for event in events()] == ["provider_5xx"] * tries
    assert [event.retried for event in events()] == [1] * (tries - 1) + [0]
    assert [event_class for event_class, _ in incidents()] == ["provider_5xx"]
