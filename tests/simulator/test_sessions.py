"""Sessions over WebSocket, spoken without an SDK: what is said, billed and refused."""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

LIVE = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k"
REALTIME = "/v1/realtime?model=gpt-realtime"
SETUP = {"setup": {"model": "models/gemini-live"}}
TURN = {"client_content": {"turns": [{"parts": [{"text": "hello"}]}], "turn_complete": True}}


@pytest.fixture
def dial(simulator):
    """Opens a session at a path of this provider's port."""

    def to(provider, path):
        url = getattr(simulator, provider).replace("http", "ws")
        return connect(url + path)

    return to


def say(socket, **event):
    socket.send(json.dumps(event))


def hear(socket, wanted):
    """The next event that has this key, or is of this type."""
    while True:
        event = json.loads(socket.recv())
        if wanted in event or event.get("type") == wanted:
            return event


def test_realtime_response_is_billed_as_it_says(dial, simulator):
    with dial("openai", REALTIME) as socket:
        say(socket, type="response.create", response={"instructions": "be brief"})
        done = hear(socket, "response.done")["response"]

    (billed,) = simulator.ledger()
    assert (billed["usage"], billed["response_id"]) == (done["usage"], done["id"])
    assert (billed["operation"], billed["provider"]) == ("realtime", "openai")


def test_gemini_turn_is_billed_as_it_says(dial, simulator):
    with dial("gemini", LIVE) as socket:
        say(socket, **SETUP)
        hear(socket, "setupComplete")
        say(socket, **TURN)
        told = hear(socket, "usageMetadata")["usageMetadata"]

    (billed,) = simulator.ledger()
    assert (billed["usage"], billed["requested_model"]) == (told, "gemini-live")


def test_broken_session_bills_what_was_generated(dial, simulator):
    simulator.script(fail="break", chunks=4)

    with dial("openai", REALTIME) as socket:
        say(socket, type="response.create")
        with pytest.raises(ConnectionClosedError):
            hear(socket, "response.done")

    (billed,) = simulator.ledger()
    assert (billed["delivered"], billed["fault"]) == (False, "break")
    assert 0 < billed["usage"]["output_tokens"] < 10


def test_opening_is_refused_only_where_a_rule_names_it(dial, simulator):
    simulator.script(fail="auth")
    simulator.script(path="#open", fail="rate_limit")

    with pytest.raises(InvalidStatus) as refused, dial("openai", REALTIME):
        pass

    assert refused.value.response.status_code == 429
    with dial("openai", REALTIME):
        pass


def test_wished_usage_is_told_and_priced(dial, simulator):
    simulator.script(
        usage={
            "input_tokens": 0,
            "output_tokens": 1_000_000,
            "output_token_details": {"text_tokens": 0, "audio_tokens": 1_000_000},
            "input_token_details": {"text_tokens": 0},
        }
    )

    with dial("openai", REALTIME) as socket:
        say(socket, type="response.create")
        hear(socket, "response.done")

    assert simulator.ledger()[0]["amount_usd"] == "16"
