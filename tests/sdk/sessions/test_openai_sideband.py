"""A connection that listens to a live session held elsewhere tells what the session cost."""

from __future__ import annotations

import json

import openai
import pytest

from tests.sdk.sessions.sockets import playing

if int(openai.__version__.partition(".")[0]) < 3:
    pytest.skip("live sessions are new in openai 3", allow_module_level=True)

# The SDK's own use of websockets.
pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used:DeprecationWarning")
SESSION = {"id": "live_1", "object": "live.session", "model": "gpt-live-1"}
STARTED = {"type": "session.started", "event_id": "e0", "session": SESSION}
USED = {"type": "session.usage.updated", "event_id": "e1", "usage": {"seconds": 2.5}}
RESPONSE = {"id": "resp_1", "object": "response", "model": "gpt-5", "status": "completed"}
TOKENS = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
DELEGATED = {
    "type": "response.event",
    "event_id": "e2",
    "event": {"type": "response.completed", "response": {**RESPONSE, "usage": TOKENS}},
}
CLOSED = {
    "type": "session.closed",
    "event_id": "e3",
    "reason": "close_requested",
    "session": SESSION,
    "usage": {"seconds": 4.0},
}


@pytest.fixture
def listen(sim_key):
    """Attaches to a session that says these things, and hears so many of them."""

    def heard(*scene):
        with playing(*scene) as address:
            client = openai.OpenAI(api_key=sim_key, base_url=f"{address}/v1", max_retries=0)
            with client.live.sideband.connect(session_id="live_1") as connection:
                for _ in scene:
                    connection.recv()
            client.close()

    return heard


def turns(receipts):
    """The billable rows, by what they are."""
    return {row.response_id: row for row in receipts() if row.billable}


def test_listener_tells_the_seconds_of_the_session(listen, receipts):
    listen(STARTED, USED, CLOSED)

    (row,) = turns(receipts).values()
    assert (row.operation, row.response_id, row.response_model) == ("live", "live_1", "gpt-live-1")
    assert json.loads(row.raw_usage) == {"seconds": 4.0}


def test_its_rows_give_way_to_those_of_the_holder(listen, receipts):
    listen(STARTED, USED, DELEGATED, CLOSED)

    rows = turns(receipts)
    assert sorted(rows) == ["live_1", "resp_1"]
    assert all(json.loads(row.price_facts)["retrieved"] for row in rows.values())


def test_listener_that_leaves_early_says_so(listen, receipts):
    listen(USED)

    (row,) = turns(receipts).values()
    assert (row.response_id, row.outcome, row.usage_source) == ("live_1", "partial", "partial")


def test_listener_alone_opens_a_session_that_costs_nothing(listen, receipts):
    listen(STARTED)

    (session,) = [row for row in receipts() if row.operation == "live_session"]
    assert session.billable == 0
