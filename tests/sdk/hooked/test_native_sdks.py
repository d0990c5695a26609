"""Cohere, Mistral and Groq through their own SDKs, plain and streamed."""

from __future__ import annotations

import asyncio
import importlib
import json

import pytest

from tests.sdk.hooked import tapes

COHERE = {"billed_units": {"input_tokens": 5, "output_tokens": 2}, "tokens": {"input_tokens": 71}}
CHAT = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
COMPLETION = {
    "id": "cmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "served",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Hello"},
        }
    ],
    "usage": CHAT,
}
CHUNK = {
    "id": "cmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "served",
    "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": None}],
}
TURN = [{"role": "user", "content": "Hi"}]


def client_of(library, answer, **options):
    return importlib.import_module(library).Client(
        transport=tapes.transport(library, answer, **options)
    )


def async_client_of(library, answer, **options):
    return importlib.import_module(library).AsyncClient(
        transport=tapes.transport(library, answer, **options)
    )


def cohere(answer, **options):
    import cohere

    return cohere.ClientV2(api_key="co-test", httpx_client=client_of("httpx", answer, **options))


def mistral(answer, **options):
    from mistralai.client import Mistral

    client = client_of("httpx2", answer, **options)
    waiting = async_client_of("httpx2", answer, **options)
    return Mistral(api_key="mi-test", client=client, async_client=waiting)


def groq(answer, **options):
    import groq

    client = client_of("httpx", answer, **options)
    return groq.Groq(api_key="gsk-test", http_client=client, max_retries=0)


def test_cohere_bills_what_it_says_it_bills(home, one_receipt):
    answer = {
        "id": "co-1",
        "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
        "usage": COHERE,
    }

    cohere(answer).chat(model="command-r", messages=TURN)

    receipt = one_receipt()
    assert (receipt.provider, receipt.usage_shape) == ("cohere", "cohere.billed_units")
    assert json.loads(receipt.raw_usage) == COHERE


def test_a_cohere_stream_tells_usage_in_its_last_event(home, one_receipt):
    end = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": COHERE}}
    answer = tapes.sse({"type": "message-start", "id": "co-1"}, end)
    client = cohere(answer, content_type="text/event-stream")

    events = list(client.chat_stream(model="command-r", messages=TURN))

    assert [event.type for event in events] == ["message-start", "message-end"]
    assert json.loads(one_receipt().raw_usage) == COHERE


def test_a_cohere_stream_that_is_left_is_partial(home, one_receipt):
    answer = tapes.sse({"type": "message-start", "id": "co-1"}, {"type": "message-end"})
    stream = cohere(answer, content_type="text/event-stream").chat_stream(
        model="command-r", messages=TURN
    )

    next(stream)
    stream.close()

    assert one_receipt().outcome == "partial"


def test_a_refusal_of_coheres_is_told_in_its_own_words(home, receipts, one_event):
    client = cohere({"message": "invalid api token"}, status=401)

    with pytest.raises(Exception, match="invalid api token"):
        client.chat(model="command-r", messages=TURN)

    assert receipts() == []
    assert (one_event().event_class, one_event().message) == ("auth", "invalid api token")


def test_mistral_is_seen_below_its_resources(home, one_receipt):
    mistral(COMPLETION).chat.complete(model="mistral-small", messages=TURN)

    receipt = one_receipt()
    assert (receipt.provider, receipt.request_model) == ("mistral", "mistral-small")
    assert json.loads(receipt.raw_usage) == CHAT


def test_a_refusal_of_mistrals_is_told_in_its_own_words(home, receipts, one_event):
    client = mistral({"message": "no such model", "type": "not_found", "code": "1500"}, status=404)

    with pytest.raises(Exception, match="no such model"):
        client.chat.complete(model="mistral-none", messages=TURN)

    event = one_event()
    assert (event.event_class, event.code) == ("model_gone", "1500")
    assert (event.message, event.exception_type) == ("no such model", "SDKError")


def test_a_mistral_stream_tells_usage_in_its_last_chunk(home, one_receipt):
    answer = tapes.sse(CHUNK, {**CHUNK, "usage": CHAT})
    client = mistral(answer, content_type="text/event-stream")

    with client.chat.stream(model="mistral-small", messages=TURN) as stream:
        chunks = list(stream)

    assert len(chunks) == 2
    assert json.loads(one_receipt().raw_usage) == CHAT


def test_an_async_mistral_stream_tells_usage_too(home, one_receipt):
    answer = tapes.sse(CHUNK, {**CHUNK, "usage": CHAT})
    client = mistral(answer, content_type="text/event-stream")

    async def read():
        stream = await client.chat.stream_async(model="mistral-small", messages=TURN)
        async with stream:
            return [chunk async for chunk in stream]

    assert len(asyncio.run(read())) == 2
    assert json.loads(one_receipt().raw_usage) == CHAT


def test_a_closed_mistral_stream_is_partial(home, one_receipt):
    client = mistral(tapes.sse(CHUNK, CHUNK), content_type="text/event-stream")

    with client.chat.stream(model="mistral-small", messages=TURN) as stream:
        next(stream)

    assert one_receipt().outcome == "partial"


def test_pages_of_a_document_are_counted(home, one_receipt):
    answer = {"pages": [], "model": "ocr", "usage_info": {"pages_processed": 3}}
    document = {"type": "document_url", "document_url": "https://example.test/a.pdf"}

    mistral(answer).ocr.process(model="ocr", document=document)

    assert json.loads(one_receipt().price_facts) == {"pages": 3}


def test_groq_stream_that_is_read_as_lines_is_whole(home, one_receipt):
    answer = tapes.sse(CHUNK, {**CHUNK, "x_groq": {"id": "req_1", "usage": CHAT}})
    chats = groq(answer, content_type="text/event-stream").chat.completions

    with chats.with_streaming_response.create(model="l", messages=TURN, stream=True) as response:
        lines = list(response.iter_lines())

    assert "x_groq" in "".join(lines)
    assert (json.loads(one_receipt().raw_usage), one_receipt().usage_source) == (CHAT, "provider")


def test_groq_tells_stream_usage_unasked(home, one_receipt):
    answer = tapes.sse(CHUNK, {**CHUNK, "x_groq": {"id": "req_1", "usage": CHAT}})
    client = groq(answer, content_type="text/event-stream")

    list(client.chat.completions.create(model="llama", messages=TURN, stream=True))

    assert (one_receipt().sdk, one_receipt().provider) == ("groq", "groq")
    assert json.loads(one_receipt().raw_usage) == CHAT
