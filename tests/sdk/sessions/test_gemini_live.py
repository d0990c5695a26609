"""Each turn of a Gemini live session is one receipt, linked to its session."""

from __future__ import annotations

import asyncio
import gc
import json

import pytest
from google import genai
from google.genai import errors, live
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

import anchor_autopatch

MODEL = "gemini-live-2.5-flash"
TEXT = {"response_modalities": ["TEXT"]}
KEY = "AIzaSimulated0123456789abcdef"


@pytest.fixture
def client(home, simulator, monkeypatch):
    """A client whose sessions the simulator serves: the SDK insists on TLS, which it has not."""

    def plain(uri, **options):
        options.pop("ssl", None)
        return connect(uri.replace("wss://", "ws://"), **options)

    monkeypatch.setattr(live, "ws_connect", plain)
    return genai.Client(api_key=KEY, http_options={"base_url": simulator.gemini})


def say(session, text="a secret question"):
    turn = {"role": "user", "parts": [{"text": text}]}
    return session.send_client_content(turns=turn, turn_complete=True)


def talk(client, turns=1):
    """Holds a session of so many turns, each read to its end."""

    async def main():
        async with client.aio.live.connect(model=MODEL, config=TEXT) as session:
            for _ in range(turns):
                await say(session)
                async for _ in session.receive():
                    pass

    asyncio.run(main())


def split(receipts):
    """The session's own row, and the receipts of its turns."""
    found = receipts()
    (session,) = (row for row in found if row.operation == "live_session")
    return session, [row for row in found if row is not session]


def test_turn_is_one_receipt_with_the_billed_usage(client, simulator, receipts):
    talk(client)

    _, (turn,) = split(receipts)
    assert json.loads(turn.raw_usage) == simulator.ledger()[0]["usage"]
    assert (turn.usage_shape, turn.operation) == ("gemini.generate_content", "live")
    assert (turn.outcome, turn.billable, turn.usage_source) == ("ok", 1, "provider")


def test_turn_says_model_provider_and_session(client, simulator, receipts):
    talk(client)

    session, (turn,) = split(receipts)
    assert (turn.request_model, turn.provider) == (MODEL, "gemini")
    assert turn.provider_host == simulator.gemini.removeprefix("http://")
    assert (turn.parent_receipt_id, session.billable) == (session.receipt_id, 0)


def test_three_turns_are_three_receipts(client, simulator, receipts):
    talk(client, turns=3)

    _, turns = split(receipts)
    assert len(turns) == len(simulator.ledger()) == 3


def test_turn_belongs_to_who_opened_the_session(client, receipts):
    with anchor_autopatch.attribute(team="voice"):
        talk(client)

    session, (turn,) = split(receipts)
    assert (session.team, turn.team) == ("voice", "voice")
    assert "test_gemini_live" in session.call_site


def test_lost_connection_leaves_its_open_turn(client, simulator, receipts, one_event):
    simulator.script(fail="break")

    with pytest.raises(errors.APIError):
        talk(client)

    _, (turn,) = split(receipts)
    assert (turn.outcome, turn.usage_source, turn.billable) == ("partial", "absent", 1)
    assert one_event().event_class == "partial_stream"


def test_turn_left_in_the_middle_is_partial(client, receipts):
    async def leave():
        async with client.aio.live.connect(model=MODEL, config=TEXT) as session:
            await say(session)
            await anext(session.receive())

    asyncio.run(leave())
    gc.collect()

    _, (turn,) = split(receipts)
    assert (turn.outcome, turn.usage_source) == ("partial", "absent")


def test_turn_without_usage_says_so(client, simulator, receipts):
    simulator.script(fail="no_usage")

    talk(client)

    _, (turn,) = split(receipts)
    assert (turn.usage_source, turn.raw_usage) == ("absent", None)


def test_refused_session_is_an_event(client, simulator, receipts, one_event):
    simulator.script(path="#open", fail="permission")

    with pytest.raises(InvalidStatus):
        talk(client)

    assert (one_event().event_class, one_event().http_status) == ("auth", 403)
    assert receipts() == []


def test_exception_of_the_application_passes_unchanged(client, receipts, events):
    own = LookupError("mine")

    async def fail():
        async with client.aio.live.connect(model=MODEL, config=TEXT):
            raise own

    with pytest.raises(LookupError) as raised:
        asyncio.run(fail())

    assert raised.value is own
    assert events() == []


def test_key_and_words_are_nowhere_on_disk(client, home):
    talk(client)

    stored = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"secret question" not in stored
    assert KEY.encode() not in stored
