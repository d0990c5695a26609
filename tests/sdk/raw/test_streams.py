"""A streamed call leaves one receipt however its body is read or left, and delays none of it."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib

import pytest

from anchor_autopatch.host.clients import raw
from tests.sdk.raw.ways import KEY, blocking, drop, every_way

ASK = [{"role": "user", "content": "hello there"}]
CHAT = {
    "model": "gpt-4o",
    "messages": ASK,
    "stream": True,
    "stream_options": {"include_usage": True},
}
STREAMS = {
    "chat": ("openai", "/v1/chat/completions", CHAT),
    "responses": ("openai", "/v1/responses", {"model": "gpt-4o", "input": "hi", "stream": True}),
    "messages": (
        "anthropic",
        "/v1/messages",
        {"model": "claude-x", "max_tokens": 50, "messages": ASK, "stream": True},
    ),
    "gemini": (
        "gemini",
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
    ),
}
kinds = pytest.mark.parametrize("kind", STREAMS)
SSE = {"content-type": "text/event-stream"}
EVENTS = [
    b'data: {"id":"c1","model":"m-1","choices":[{"delta":{"content":"a \\"usage\\": {"}}]}\n\n',
    b'data: {"id":"c1","model":"m-1","choices":[{"delta":{"content":"b"}}],"usage":null}\n\n',
    b'data: {"id":"c1","model":"m-1","choices":[],"usage":{"prompt_tokens":5}}\n\n',
    b"data: [DONE]\n\n",
]


def at(simulator, kind):
    """The URL and body of a stream."""
    provider, path, body = STREAMS[kind]
    return getattr(simulator, provider) + path, body


def chat(server):
    """The URL and body of a chat with the test's own server."""
    return f"{server.url}/v1/chat/completions", CHAT


@every_way
@kinds
def test_stream_carries_the_billed_usage(way, kind, simulator, one_receipt):
    way.stream(*at(simulator, kind))

    receipt, (billed,) = one_receipt(), simulator.ledger()
    assert json.loads(receipt.raw_usage).items() >= billed["usage"].items()
    assert (receipt.outcome, receipt.stream, receipt.usage_source) == ("ok", 1, "provider")
    assert receipt.response_id == billed["response_id"]


@every_way
def test_application_gets_the_events_that_were_sent(way, server, one_receipt):
    server.answer(*EVENTS, headers=SSE)

    assert way.stream(*chat(server)) == b"".join(EVENTS)

    receipt = one_receipt()
    assert (receipt.raw_usage, receipt.response_model) == ('{"prompt_tokens":5}', "m-1")


@every_way
@pytest.mark.parametrize("size", [2, 7, 1000])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw deflate"])
def test_compressed_stream_is_read_below_decoding(way, server, one_receipt, encoding, size):
    plain = b"".join(EVENTS)
    bare = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": gzip.compress(plain),
        "deflate": zlib.compress(plain),
        "raw deflate": bare.compress(plain) + bare.flush(),
    }[encoding]
    pieces = [packed[i : i + size] for i in range(0, len(packed), size)]
    server.answer(*pieces, headers=SSE | {"content-encoding": encoding.rpartition(" ")[2]})

    assert way.stream(*chat(server)) == plain

    assert one_receipt().raw_usage == '{"prompt_tokens":5}'


@blocking
def test_encoding_that_zlib_does_not_know_is_said(way, server, one_receipt):
    server.answer(b"\x0b\x02\x80data\x03", headers=SSE | {"content-encoding": "x-secret"})

    way.stream(*chat(server))

    receipt = one_receipt()
    assert (receipt.outcome, receipt.usage_source) == ("ok", "absent")
    assert json.loads(receipt.price_facts)["unread_encoding"] == "x-secret"


@every_way
@pytest.mark.parametrize("failure", ["break@2", "cut@2"])
def test_stream_that_breaks_is_a_partial_receipt_and_event(
    way, simulator, one_receipt, one_event, failure
):
    simulator.script(fail=failure)

    with pytest.raises(Exception):  # noqa: B017, PT011 - each client has its own
        way.stream(*at(simulator, "messages"))

    event, receipt = one_event(), one_receipt()
    assert (event.event_class, event.receipt_id) == ("partial_stream", receipt.receipt_id)
    assert (receipt.outcome, receipt.usage_source) == ("partial", "partial")


@every_way
def test_error_event_in_the_stream_is_recorded(way, simulator, one_receipt, one_event):
    simulator.script(fail="error_event@2")

    way.stream(*at(simulator, "messages"))

    assert (one_event().event_class, one_receipt().outcome) == ("partial_stream", "partial")


@every_way
def test_closed_stream_is_partial_with_what_was_seen(way, simulator, one_receipt):
    simulator.script(chunk_delay=0.02, chunks=600, usage={"input_tokens": 321})

    way.stream(*at(simulator, "messages"), pieces=1)

    receipt = one_receipt()
    assert (receipt.outcome, receipt.usage_source) == ("partial", "partial")
    assert json.loads(receipt.raw_usage)["input_tokens"] == 321


@blocking
def test_dropped_stream_is_partial(way, simulator, one_receipt):
    simulator.script(chunk_delay=0.02, chunks=600)

    drop(way, *at(simulator, "messages"))

    assert one_receipt().outcome == "partial"
    assert raw.open_bodies.entries == {}


@every_way
def test_stream_left_after_its_last_event_is_whole(way, server, one_receipt):
    server.answer(b"".join(EVENTS), b": keep-alive\n\n", headers=SSE, wait=0.05)

    way.stream(*chat(server), pieces=1)

    assert (one_receipt().outcome, one_receipt().usage_source) == ("ok", "provider")


@every_way
def test_stream_without_usage_tells_how_large_it_was(way, server, one_receipt):
    server.answer(EVENTS[0], EVENTS[3], headers=SSE)

    way.stream(*chat(server))

    receipt = one_receipt()
    assert (receipt.outcome, receipt.usage_source) == ("ok", "estimated")
    assert (receipt.raw_usage, receipt.response_id) == (None, "c1")
    assert json.loads(receipt.price_facts)["seen_chunks"] == 2


@every_way
def test_event_of_megabytes_still_tells_its_usage(way, server, one_receipt):
    picture = b'data: {"type":"image_generation.completed","b64_json":"' + b"A" * 3_000_000
    server.answer(picture, b'","usage":{"input_tokens":4}}\n\n', headers=SSE)

    way.stream(f"{server.url}/v1/images/generations", {"model": "gpt-image-1", "stream": True})

    assert one_receipt().raw_usage == '{"input_tokens":4}'


@every_way
def test_first_event_is_not_delayed(way, server, one_receipt):
    server.answer(EVENTS[0], EVENTS[2], headers=SSE, wait=0.3)

    assert way.stream(*chat(server), pieces=1) in EVENTS[0]

    assert one_receipt().duration_us < 250_000


@pytest.mark.parametrize(
    "read",
    [
        lambda r: list(r.iter_lines()),
        lambda r: list(r.iter_content(1)),
        lambda r: r.raw.read(),
        lambda r: [r.raw.read(10) for _ in range(60)],
        lambda r: list(r.raw),
        lambda r: list(r.raw.read_chunked()),
        lambda r: r.raw.read1() + r.raw.read(),
        lambda r: r.content,
        lambda r: r.raw.drain_conn(),
    ],
    ids=["lines", "bytes", "raw", "pieces", "iter", "chunked", "read1", "content", "drained"],
)
def test_every_way_to_read_a_streamed_requests_body(read, server, one_receipt):
    requests = pytest.importorskip("requests")
    server.answer(*EVENTS, headers=SSE)
    url, body = chat(server)

    with requests.post(url, json=body, headers=KEY, stream=True, timeout=60) as response:
        read(response)

    assert (one_receipt().outcome, one_receipt().raw_usage) == ("ok", '{"prompt_tokens":5}')


@pytest.mark.parametrize(
    "read",
    [
        lambda r: r.read(),
        lambda r: r.text(),
        lambda r: r.content.read(),
        lambda r: r.content.readexactly(len(b"".join(EVENTS))),
    ],
    ids=["read", "text", "content", "exactly"],
)
def test_every_way_to_read_an_aiohttp_body(read, server, one_receipt):
    aiohttp = pytest.importorskip("aiohttp")
    server.answer(*EVENTS, headers=SSE)
    url, body = chat(server)

    async def run():
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json=body, headers=KEY) as response,
        ):
            return await read(response)

    assert asyncio.run(run())
    assert (one_receipt().outcome, one_receipt().raw_usage) == ("ok", '{"prompt_tokens":5}')
