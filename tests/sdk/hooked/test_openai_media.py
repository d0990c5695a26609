"""Pictures, speech and recordings through the openai SDK, streamed too, against the simulator."""

from __future__ import annotations

import asyncio
import json

import openai
import pytest

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
PNG = ("a.png", b"\x89PNG\r\n\x1a\n", "image/png")
WAV = ("a.wav", b"RIFF", "audio/wav")
EDIT = {"model": "gpt-image-1", "image": PNG, "prompt": "a cat"}
DRAWN = {"model": "gpt-image-1", "prompt": "a cat"}
HEARD = {"model": "gpt-4o-transcribe", "file": WAV}
SPOKEN = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "hello there"}

PLAIN = {
    "edit": (lambda c: c.images.edit(**EDIT), "image_generation"),
    "two edits": (lambda c: c.images.edit(**EDIT, n=2), "image_generation"),
    "variation": (lambda c: c.images.create_variation(image=PNG), "image_generation"),
    "transcription": (lambda c: c.audio.transcriptions.create(**HEARD), "transcription"),
    "translation": (
        lambda c: c.audio.translations.create(model="whisper-1", file=WAV),
        "transcription",
    ),
}
STREAMED = {
    "pictures": (
        lambda c: c.images.generate(**DRAWN, stream=True, partial_images=1),
        "image_generation",
    ),
    "edit": (lambda c: c.images.edit(**EDIT, stream=True, partial_images=1), "image_generation"),
    "two edits": (lambda c: c.images.edit(**EDIT, n=2, stream=True), "image_generation"),
    "transcription": (
        lambda c: c.audio.transcriptions.create(**HEARD, stream=True),
        "transcription",
    ),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_call_is_one_receipt_as_billed(openai_client, simulator, one_receipt, name):
    ask, operation = PLAIN[name]

    ask(openai_client)

    receipt, (billed,) = one_receipt(), simulator.ledger()
    assert (receipt.operation, receipt.billable, receipt.stream) == (operation, 1, 0)
    assert receipt.request_model == billed["requested_model"] or receipt.request_model is None
    if receipt.raw_usage:
        assert json.loads(receipt.raw_usage).items() >= billed["usage"].items()


@pytest.mark.parametrize("name", STREAMED)
def test_stream_is_one_receipt_as_billed(openai_client, simulator, one_receipt, name):
    ask, operation = STREAMED[name]

    list(ask(openai_client))

    receipt, (billed,) = one_receipt(), simulator.ledger()
    assert (receipt.operation, receipt.stream, receipt.outcome) == (operation, 1, "ok")
    assert receipt.usage_source == "provider"
    assert json.loads(receipt.raw_usage).items() >= billed["usage"].items()


@pytest.mark.parametrize("name", STREAMED)
def test_async_stream_is_one_receipt_as_billed(home, simulator, one_receipt, name):
    ask, operation = STREAMED[name]

    async def main():
        base_url = f"{simulator.openai}/v1"
        async with openai.AsyncOpenAI(base_url=base_url, api_key="k", max_retries=0) as client:
            return [event async for event in await ask(client)]

    asyncio.run(main())

    receipt, (billed,) = one_receipt(), simulator.ledger()
    assert (receipt.operation, receipt.outcome) == (operation, "ok")
    assert json.loads(receipt.raw_usage).items() >= billed["usage"].items()


def test_streamed_picture_is_counted(openai_client, one_receipt):
    list(openai_client.images.generate(**DRAWN, stream=True))

    assert json.loads(one_receipt().price_facts)["images"] == 1


def test_stream_of_pictures_that_is_left_is_partial(openai_client, one_receipt):
    stream = openai_client.images.generate(**DRAWN, stream=True, partial_images=2)

    next(iter(stream))
    stream.close()

    assert (one_receipt().outcome, one_receipt().billable) == ("partial", 1)


@pytest.mark.parametrize("way", ["whole", "pieces", "raw"])
def test_spoken_words_are_counted(openai_client, one_receipt, way):
    speech = openai_client.audio.speech
    if way == "whole":
        assert speech.create(**SPOKEN).content
    elif way == "raw":
        assert speech.with_raw_response.create(**SPOKEN).content
    else:
        with speech.with_streaming_response.create(**SPOKEN) as body:
            assert b"".join(body.iter_bytes())

    receipt = one_receipt()
    assert (receipt.operation, receipt.outcome) == ("speech", "ok")
    assert json.loads(receipt.price_facts)["characters"] == len(SPOKEN["input"])


@pytest.mark.parametrize("read", ["iter_lines", "iter_bytes", "read", "text"])
def test_speech_told_in_events_tells_its_tokens(openai_client, simulator, one_receipt, read):
    with openai_client.audio.speech.with_streaming_response.create(
        **SPOKEN, stream_format="sse"
    ) as body:
        list(getattr(body, read)())

    receipt, (billed,) = one_receipt(), simulator.ledger()
    assert json.loads(receipt.raw_usage).items() >= billed["usage"].items()
