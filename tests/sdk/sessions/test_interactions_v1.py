"""Interactions of google-genai 1.x, which has another client for them than later versions."""

from __future__ import annotations

import importlib
import json

import pytest

from tests.sdk.hooked import tapes

pytest.importorskip("google.genai._interactions._base_client", reason="google-genai 1.x only")

USAGE = {
    "total_input_tokens": 10,
    "total_output_tokens": 5,
    "total_thought_tokens": 3,
    "total_tokens": 18,
}
DONE = {
    "id": "int-1",
    "object": "interaction",
    "model": "gemini-2.5-flash",
    "status": "completed",
    "outputs": [{"type": "text", "text": "hello"}],
    "usage": USAGE,
}
BEGUN = {**DONE, "status": "in_progress", "usage": None}
pytestmark = pytest.mark.filterwarnings("ignore:Interactions:UserWarning")


@pytest.fixture
def interactions(home):
    """The interactions of a client that always gets this answer."""
    made = []

    def answering(answer, **given):
        http = importlib.import_module("httpx").Client(
            transport=tapes.transport("httpx", answer, **given)
        )
        library = importlib.import_module("google.genai._interactions")
        client = library.GeminiNextGenAPIClient(
            api_key="k", http_client=http, max_retries=0, base_url="http://127.0.0.1:9"
        )
        made.append(http)
        return client.interactions

    yield answering
    for http in made:
        http.close()


def create(interactions, **more):
    return interactions.create(
        api_version="v1beta", model="gemini-2.5-flash", input="a secret question", **more
    )


def test_interaction_is_one_receipt_with_its_usage(interactions, one_receipt):
    create(interactions(DONE))

    receipt = one_receipt()
    assert json.loads(receipt.raw_usage) == USAGE
    assert (receipt.usage_shape, receipt.operation) == ("gemini.interactions", "interactions")
    assert (receipt.provider, receipt.response_id, receipt.billable) == ("gemini", "int-1", 1)


def test_stream_tells_usage_at_its_end(interactions, one_receipt):
    body = tapes.sse(
        {"event_type": "interaction.start", "interaction": BEGUN},
        {"event_type": "interaction.complete", "interaction": DONE},
    )

    list(create(interactions(body, content_type="text/event-stream"), stream=True))

    assert json.loads(one_receipt().raw_usage) == USAGE
    assert (one_receipt().stream, one_receipt().outcome) == (1, "ok")


def test_background_interaction_is_billed_once_at_its_end(interactions, receipts):
    create(interactions(BEGUN), background=True)
    for answer in (BEGUN, DONE, DONE):
        interactions(answer).get("int-1", api_version="v1beta")

    rows = sorted((row.billable, row.usage_source) for row in receipts())
    assert rows == [(0, "absent"), (1, "provider")]
