"""Each turn of Mistral's WebSocket sessions is one receipt with the usage that ends it."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.sdk.sessions.sockets import HANG_UP, HEAR, playing

pytest.importorskip("mistralai.extra.realtime")
# jsonpath, which the SDK imports at the first session, asks `ast` for names that Python 3.14 drops.
pytestmark = pytest.mark.filterwarnings(r"ignore:ast\.\w+ is deprecated:DeprecationWarning")

MODEL = "voxtral-mini-transcribe-realtime-2602"
USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 2,
    "total_tokens": 7,
    "prompt_audio_seconds": 3,
}
AUDIO = {"encoding": "pcm_s16le", "sample_rate": 16_000}
CREATED = {
    "type": "session.created",
    "session": {"request_id": "rq-1", "model": MODEL, "audio_format": AUDIO},
}
DELTA = {"type": "transcription.text.delta", "text": "Hel"}
DONE = {
    "type": "transcription.done",
    "model": MODEL,
    "text": "Hello",
    "usage": USAGE,
    "language": "en",
    "segments": [],
}


def client(address, key):
    try:
        from mistralai.client import Mistral
    except ImportError:
        from mistralai import Mistral
    return Mistral(api_key=key, server_url=address, timeout_ms=60_000)


async def one_sound():
    yield b"\0" * 320


def transcribe(address, key, events=None):
    """Transcribes to the end of the session, or so many events of it; returns their types."""

    async def main():
        sdk = client(address, key)
        told = []
        stream = sdk.audio.realtime.transcribe_stream(one_sound(), model=MODEL)
        async for event in stream:
            told.append(event.type)
            if len(told) == events:
                break
        await stream.aclose()
        return told

    return asyncio.run(main())


def split(receipts, operation="transcription"):
    """The session's own row, and the receipts of its turns."""
    found = receipts()
    (session,) = (row for row in found if row.operation == f"{operation}_session")
    return session, [row for row in found if row is not session]


def test_transcription_is_one_receipt_with_its_usage(receipts, sim_key, monkeypatch):
    with playing(CREATED, HEAR, DELTA, DONE) as address:
        assert transcribe(address, sim_key) == ["session.created", DELTA["type"], DONE["type"]]

    session, (turn,) = split(receipts)
    assert (session.billable, turn.billable, turn.parent_receipt_id) == (0, 1, session.receipt_id)
    assert (turn.provider, turn.response_model, turn.outcome) == ("mistral", MODEL, "ok")
    assert json.loads(turn.raw_usage) == USAGE


def test_session_knows_host_and_key(receipts, sim_key):
    with playing(CREATED, HEAR, DONE) as address:
        transcribe(address, sim_key)

    session, (turn,) = split(receipts)
    assert turn.provider_host == address.removeprefix("http://")
    assert len(turn.api_key_id) == 16
    assert session.request_model == MODEL


def test_transcription_that_is_left_is_partial(receipts, sim_key):
    with playing(CREATED, HEAR, DELTA, DELTA, DELTA) as address:
        transcribe(address, sim_key, events=2)

    _, (turn,) = split(receipts)
    assert (turn.outcome, turn.usage_source, turn.billable) == ("partial", "absent", 1)


def test_error_event_is_recorded(receipts, events, sim_key):
    told = {"type": "error", "error": {"message": "Bad audio", "code": 3000}}
    with playing(CREATED, HEAR, told) as address:
        transcribe(address, sim_key)

    (event,) = events()
    assert (event.provider, event.message) == ("mistral", "Bad audio")


def test_lost_connection_leaves_what_was_begun(receipts, sim_key):
    gone = pytest.raises(Exception, match="1011")
    with playing(CREATED, HEAR, DELTA, HANG_UP) as address, gone:
        transcribe(address, sim_key)

    _, (turn,) = split(receipts)
    assert (turn.outcome, turn.usage_source) == ("partial", "absent")


def test_speech_is_one_receipt_with_its_usage(receipts, sim_key):
    pytest.importorskip("mistralai.extra.realtime.speech")
    session = {
        "request_id": "rq-2",
        "model": "voxtral-tts",
        "is_ref_audio": False,
        "streaming_mode": "responsive",
        "response_format": "pcm",
        "expressiveness": 1.0,
    }
    created = {"type": "session.created", "session": session}
    done = {"type": "speech.audio.done", "usage": USAGE}

    async def words():
        yield "Hello"

    async def main(address):
        sdk = client(address, sim_key)
        stream = sdk.audio.realtime_speech.speak_stream(words(), model="voxtral-tts")
        return [event.type async for event in stream]

    with playing(created, HEAR, done) as address:
        asyncio.run(main(address))

    _, (turn,) = split(receipts, "speech")
    assert (turn.operation, turn.response_model) == ("speech", "voxtral-tts")
    assert json.loads(turn.raw_usage) == USAGE
