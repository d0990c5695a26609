"""A live music session is one receipt with the seconds that it played."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from google import genai
from google.genai import live_music
from websockets.asyncio.client import connect

from tests.sdk.sessions.sockets import HANG_UP, HEAR, playing

KEY = "AIzaSimulated0123456789abcdef"
MODEL = "lyria-realtime-exp"
SECOND = base64.b64encode(b"\0" * 192_000).decode()
READY = {"setupComplete": {}}
SOUND = {"serverContent": {"audioChunks": [{"data": SECOND, "mimeType": "audio/l16"}]}}

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def play(home, monkeypatch):
    """Plays so many messages of a scene; `leave` says how the session is left."""

    def plain(uri, **options):
        return connect(uri.replace("wss://", "ws://"), max_size=None, **options)

    monkeypatch.setattr(live_music, "connect", plain)

    async def main(address, messages, leave):
        client = genai.Client(
            api_key=KEY, http_options={"base_url": address, "api_version": "v1alpha"}
        )
        async with client.aio.live.music.connect(model=f"models/{MODEL}") as session:
            for _ in range(messages):
                await session._receive()
            if leave == "close":
                await session.close()

    def played(*scene, messages=2, leave="close"):
        with playing(HEAR, READY, *scene) as address:
            asyncio.run(main(address, messages, leave))

    return played


def split(receipts):
    found = receipts()
    (session,) = (row for row in found if row.operation == "music_session")
    return session, [row for row in found if row is not session]


def test_session_bills_the_seconds_that_it_played(play, receipts):
    play(SOUND, SOUND)

    session, (row,) = split(receipts)
    assert (session.billable, row.billable, row.parent_receipt_id) == (0, 1, session.receipt_id)
    assert (row.provider, row.request_model, row.outcome) == ("gemini", MODEL, "ok")
    assert json.loads(row.price_facts) == {"output_seconds": 2.0}
    assert row.usage_source == "provider"


def test_session_that_is_not_closed_by_hand_is_told_all_the_same(play, receipts):
    play(SOUND, messages=1, leave="leave")

    _, (row,) = split(receipts)
    assert json.loads(row.price_facts) == {"output_seconds": 1.0}


def test_lost_connection_is_an_event_and_partial(play, receipts, one_event):
    with pytest.raises(Exception, match="gone"):
        play(SOUND, HANG_UP)

    _, (row,) = split(receipts)
    assert (row.outcome, json.loads(row.price_facts)) == ("partial", {"output_seconds": 1.0})
    assert one_event().event_class == "partial_stream"
