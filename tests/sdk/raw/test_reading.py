"""Paths, fields and bodies, without any network."""

from __future__ import annotations

import base64
import json
import tracemalloc
import zlib

import pytest

from anchor_autopatch.host.clients import bodies, fields, paths
from anchor_autopatch.host.clients.dialects import DIALECTS

HOST = "https://host.example"


@pytest.mark.parametrize(
    ("path", "operation", "dialect", "model"),
    [
        ("/v1/chat/completions", "chat", "openai", None),
        ("/api/v1/chat/completions?x=1#y", "chat", "openai", None),
        ("/openai/deployments/gpt/embeddings", "embeddings", "openai", "gpt"),
        ("/v1beta/openai/images/generations", "image_generation", "openai", None),
        ("/v1/messages?beta=true", "chat", "anthropic", None),
        ("/v1beta/models/gemini-x:generateContent", "generate_content", "gemini", "gemini-x"),
        (
            "/v1/projects/p/locations/l/endpoints/7:generateContent",
            "generate_content",
            "gemini",
            "7",
        ),
        ("/v1/publishers/anthropic/models/claude:rawPredict", "chat", "anthropic", "claude"),
        ("/model/us.anthropic.claude%3A0/converse", "chat", "bedrock", "us.anthropic.claude:0"),
        ("/model/m/invoke", "invoke_model", "bedrock", "m"),
        ("/v2/rerank", "rerank", "cohere", None),
        ("/v1/ocr", "ocr", "mistral", None),
    ],
)
def test_path_that_costs_money_is_known(path, operation, dialect, model):
    assert paths.billed("post", HOST + path)[:3] == (operation, dialect, model)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models",
        "/v1/messages/count_tokens",
        "/v1/messages/batches",
        "/v1/threads/t/messages",
        "/v1/responses/r/cancel",
        "/v1beta/models/gemini-x:countTokens",
        "/v1/projects/p/locations/l/endpoints/7:predict",
        "/model/m/other",
        "/chat",
        "/",
        "",
    ],
)
def test_path_that_costs_nothing_is_not(path):
    assert paths.billed("POST", HOST + path) is None
    assert paths.billed("GET", HOST + "/v1/chat/completions") is None


@pytest.mark.parametrize("verb", ["converse-stream", "invoke-with-response-stream"])
def test_path_alone_may_ask_for_a_stream(verb):
    assert paths.billed("POST", f"{HOST}/model/m/{verb}").stream


def test_field_in_a_text_is_no_field():
    text = 'say "usage": {"prompt_tokens": 9} and "model": "evil"' * 4_000
    body = {"id": "a", "model": "m", "choices": [text], "usage": {"prompt_tokens": 1}}

    found = fields.read(json.dumps(body).encode())

    assert (found["model"], found["usage"], found["id"]) == ("m", {"prompt_tokens": 1}, "a")


def test_pictures_of_a_long_answer_are_counted():
    body = {"created": 1, "data": [{"b64_json": "A" * 50_000}] * 3}

    assert len(fields.read(json.dumps(body).encode())["data"]) == 3


def test_last_of_a_list_of_chunks_tells():
    chunks = [{"usageMetadata": {"totalTokenCount": n}} for n in (1, 2)]

    assert fields.read(json.dumps(chunks))["usageMetadata"] == {"totalTokenCount": 2}


def test_last_of_json_lines_tells():
    lines = b'{"event_type":"stream-start"}\n{"event_type":"stream-end","response":{"meta":1}}\n'

    assert fields.read(lines)["response"] == {"meta": 1}


def frame(payload):
    """One message of Amazon's event stream, without headers; checksums are not read."""
    return (len(payload) + 16).to_bytes(4) + (0).to_bytes(4) + b"sums" + payload + b"sums"


def fed(operation, *payloads, size):
    """A Bedrock reader that was given these messages in pieces of `size` bytes."""
    sink = bodies.Frames(DIALECTS["bedrock"].reader(operation))
    wire = b"".join(frame(json.dumps(payload).encode()) for payload in payloads)
    for start in range(0, len(wire), size):
        sink.feed(wire[start : start + size])
    return sink


@pytest.mark.parametrize("size", [1, 10, 10_000])
def test_converse_stream_tells_usage_in_its_metadata(size):
    usage = {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}

    sink = fed("chat", {"delta": {"text": "x" * 300}}, {"usage": usage, "metrics": {}}, size=size)

    assert (json.loads(sink.seen().raw_usage), sink.complete()) == (usage, True)


def test_huge_frame_is_passed_over():
    sink = fed("chat", {"x": "A" * 600_000}, {"usage": {"inputTokens": 3}}, size=5_000)

    assert sink.seen()[:2] == ('{"inputTokens":3}', "bedrock.converse")


def test_invoked_model_streams_its_own_events():
    events = [
        {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 5}}},
        {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 5, "outputTokenCount": 6}},
    ]
    wrapped = [{"bytes": base64.b64encode(json.dumps(e).encode()).decode()} for e in events]

    seen = fed("invoke_model", *wrapped, size=64).seen()

    assert json.loads(seen.raw_usage)["outputTokenCount"] == 6
    assert (seen.shape, seen.source) == ("bedrock.invoke", "provider")


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        (
            {"id": "x", "usage": {"billed_units": {"input_tokens": 2.0}}},
            {"billed_units": {"input_tokens": 2.0}},
        ),
        ({"meta": {"billed_units": {"search_units": 1}}}, {"billed_units": {"search_units": 1}}),
    ],
)
def test_cohere_tells_billed_units(answer, usage):
    assert json.loads(DIALECTS["cohere"].read_usage("chat", answer).raw_usage) == usage


def test_cohere_stream_tells_them_at_its_end():
    sink = bodies.Events(DIALECTS["cohere"].reader("chat"))
    sink.feed(b'event: x\ndata: {"type":"message-start","id":"r"}\n\n')
    sink.feed(
        b'data: {"type":"message-end","delta":{"usage":{"billed_units":{"input_tokens":2}}}}\n'
    )

    assert json.loads(sink.seen().raw_usage) == {"billed_units": {"input_tokens": 2}}
    assert sink.complete()


def test_gemini_usage_before_the_last_chunk_is_kept():
    sink = bodies.Events(DIALECTS["gemini"].reader("generate_content"))
    for chunk in (
        b'{"candidates":[{}]}',
        b'{"usageMetadata": {"totalTokenCount":1}}',
        b'{"usageMetadata":{"totalTokenCount":2}}',
        b'{"candidates":[{"finishReason":"STOP"}]}',
    ):
        sink.feed(b"data: " + chunk + b"\r\n\r\n")

    assert (sink.complete(), sink.seen().raw_usage) == (True, '{"totalTokenCount":2}')


GEMINI_STREAM = b"".join(
    b'data: {"candidates":[{}],"usageMetadata": {"totalTokenCount":%d}}\r\n\r\n' % count
    for count in (1, 2, 3)
)


@pytest.mark.parametrize("size", [1, 7, len(GEMINI_STREAM) // 3, 100, len(GEMINI_STREAM)])
def test_counts_that_grow_are_read_wherever_the_stream_is_cut(size):
    sink = bodies.Events(DIALECTS["gemini"].reader("generate_content"))
    for start in range(0, len(GEMINI_STREAM), size):
        sink.feed(GEMINI_STREAM[start : start + size])
    # The application left in the middle of an event.
    sink.feed(b'data: {"candi')

    assert (sink.complete(), sink.seen().raw_usage) == (False, '{"totalTokenCount":3}')


CHAT_STREAM = (
    b'data: {"id":"c1","model":"m","usage":null}\n\n' * 3
    + b'data: {"id":"c1","choices":[],"usage": {"total_tokens":7}}\n\ndata: [DONE]\n\n'
)


@pytest.mark.parametrize("size", [1, 5, 43, 90, len(CHAT_STREAM)])
def test_usage_is_found_wherever_the_stream_is_cut(size):
    sink = bodies.Events(DIALECTS["openai"].reader("chat"))

    for start in range(0, len(CHAT_STREAM), size):
        sink.feed(CHAT_STREAM[start : start + size])

    assert (sink.complete(), sink.seen().raw_usage) == (True, '{"total_tokens":7}')


@pytest.mark.parametrize("usage", [b'"usage":null,"x_groq":{"usage":{"a":1}}', b'"usage": {"a":1}'])
def test_event_with_usage_is_told_from_one_without(usage):
    assert bodies._TELLS.search(b'{"id":"x",' + usage + b"}")
    assert not bodies._TELLS.search(b'{"id":"x","usage": null}')


def test_pages_of_mistral_ocr_are_counted():
    seen = DIALECTS["mistral"].read_usage(
        "ocr", {"model": "o", "usage_info": {"pages_processed": 3}}
    )

    assert (seen.facts, seen.model) == ({"pages": 3}, "o")


def test_body_of_any_length_is_read_in_bounded_memory():
    sink = bodies.Whole(lambda answer: DIALECTS["openai"].read_usage("embeddings", answer))
    piece = b"0.125, " * 10_000
    sink.feed(b'{"model": "e", "data": [')
    tracemalloc.start()

    for _ in range(300):
        sink.feed(bytes(piece))
    sink.feed(b'0], "usage": {"prompt_tokens": 8}}')

    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
    assert (sink.seen().raw_usage, sink.seen().model) == ('{"prompt_tokens":8}', "e")


def test_damaged_compression_ends_the_reading_only():
    decode = bodies.decoder("gzip")

    with pytest.raises(zlib.error):
        decode(b"no gzip at all")


def test_unknown_compression_has_no_decoder():
    assert bodies.decoder("br") is None
