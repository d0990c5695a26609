"""Where a stream tells no usage, the receipt tells how large it was: in counts, never in words."""

from __future__ import annotations

import asyncio
import gc
import json

import openai
import pytest

from anchor_autopatch.host.capture.evidence import sent_characters
from tests.host.support import bytes_of

QUESTION = "CANARYquestion, forty characters long...."
ANSWER = "CANARYanswer with words enough for eight chunks of a stream"
SYSTEM = "CANARYsystem"
ASK = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
SENT = len(SYSTEM) + len(QUESTION)


def text_of_chat(chunk):
    return chunk.choices[0].delta.content or "" if chunk.choices else ""


def text_of_completion(chunk):
    return chunk.choices[0].text or "" if chunk.choices else ""


def text_of_response(event):
    return event.delta if event.type == "response.output_text.delta" else ""


def text_of_message(event):
    return event.delta.text if event.type == "content_block_delta" else ""


NO_USAGE = {"include_usage": False}
STREAMS = {
    "chat": (
        "openai_client",
        lambda c: c.chat.completions.create(
            model="m", messages=ASK, stream=True, stream_options=NO_USAGE
        ),
        text_of_chat,
    ),
    "completions": (
        "openai_client",
        lambda c: c.completions.create(model="m", prompt=SYSTEM + QUESTION, stream=True),
        text_of_completion,
    ),
    "responses": (
        "openai_client",
        lambda c: c.responses.create(model="m", instructions=SYSTEM, input=QUESTION, stream=True),
        text_of_response,
    ),
    "messages": (
        "anthropic_client",
        lambda c: c.messages.create(
            model="m", max_tokens=99, system=SYSTEM, messages=ASK[1:], stream=True
        ),
        text_of_message,
    ),
}
kinds = pytest.mark.parametrize("kind", STREAMS)


@pytest.fixture
def start(request, kind, simulator):
    """Starts a stream of this kind."""
    simulator.script(text=ANSWER, chunks=8)
    client, begin, _ = STREAMS[kind]
    return lambda: begin(request.getfixturevalue(client))


def facts(receipt):
    found = json.loads(receipt.price_facts)
    return found["sent_characters"], found["seen_characters"], found["seen_chunks"]


def read_some(stream, kind, *, pieces):
    """Reads until so many chunks held text; gives those texts."""
    texts, text_of = [], STREAMS[kind][2]
    for chunk in stream:
        texts += [text_of(chunk)] * bool(text_of(chunk))
        if len(texts) == pieces:
            return texts
    raise AssertionError("The stream was shorter than the test wants")


@kinds
@pytest.mark.parametrize("leave", ["close", "drop"])
def test_stream_that_is_left_tells_what_was_seen(start, kind, one_receipt, leave):
    stream = start()
    texts = read_some(stream, kind, pieces=3)

    if leave == "close":
        stream.close()
    del stream
    gc.collect()

    assert facts(one_receipt()) == (SENT, len("".join(texts)), 3)
    assert one_receipt().outcome == "partial"


@kinds
def test_stream_that_breaks_tells_what_was_seen(request, kind, simulator, one_receipt):
    simulator.script(text=ANSWER, chunks=8, fail="break@4")
    client, begin, _ = STREAMS[kind]

    with pytest.raises(Exception):  # noqa: B017, PT011 - each SDK has its own
        list(begin(request.getfixturevalue(client)))

    assert facts(one_receipt())[0] == SENT
    assert facts(one_receipt())[2] >= 1
    assert one_receipt().outcome == "partial"


@kinds
def test_words_of_a_stream_that_is_left_are_not_kept(start, kind, home, one_receipt):
    stream = start()
    read_some(stream, kind, pieces=3)

    stream.close()

    assert one_receipt().outcome == "partial"
    assert b"CANARY" not in bytes_of(home)


def test_output_of_a_message_that_is_left_is_not_told_as_usage(
    anthropic_client, simulator, one_receipt
):
    stream = STREAMS["messages"][1](anthropic_client)
    read_some(stream, "messages", pieces=1)

    stream.close()

    assert one_receipt().usage_source == "partial"
    assert "output_tokens" not in json.loads(one_receipt().raw_usage)


def test_whole_stream_without_usage_tells_its_size(openai_client, simulator, one_receipt):
    simulator.script(text=ANSWER, chunks=8)

    list(STREAMS["chat"][1](openai_client))

    assert facts(one_receipt()) == (SENT, len(ANSWER), 8)
    assert (one_receipt().outcome, one_receipt().usage_source) == ("ok", "estimated")


def test_told_usage_needs_no_evidence(openai_client, simulator, one_receipt):
    list(openai_client.chat.completions.create(model="m", messages=ASK, stream=True))

    assert one_receipt().usage_source == "provider"
    assert "seen_characters" not in (one_receipt().price_facts or "")


def test_arguments_of_a_tool_count_as_output(openai_client, simulator, one_receipt):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tools = [{"type": "function", "function": {"name": "weather", "parameters": schema}}]
    simulator.script(tool="weather", arguments={"city": "Paris"})

    list(
        openai_client.chat.completions.create(
            model="m", messages=ASK, tools=tools, stream=True, stream_options=NO_USAGE
        )
    )

    sent, seen, _ = facts(one_receipt())
    assert seen == len('{"city":"Paris"}') or seen == len('{"city": "Paris"}')
    assert sent == SENT + len(json.dumps(tools, separators=(",", ":")))


def test_cancelled_stream_tells_what_was_seen(simulator, home, one_receipt):
    simulator.script(text=ANSWER, chunks=8, chunk_delay=0.3)
    arrived = asyncio.Event()

    async def read():
        async with openai.AsyncOpenAI(
            base_url=f"{simulator.openai}/v1", api_key="k", max_retries=0
        ) as client:
            async for chunk in await STREAMS["chat"][1](client):
                if text_of_chat(chunk):
                    arrived.set()

    async def main():
        task = asyncio.create_task(read())
        await arrived.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())

    sent, seen, chunks = facts(one_receipt())
    assert (one_receipt().outcome, one_receipt().usage_source) == ("cancelled", "estimated")
    assert sent == SENT
    assert 0 < seen < len(ANSWER)
    assert chunks >= 1


@pytest.mark.parametrize(
    ("request_body", "characters"),
    [
        (None, 0),
        (b"not JSON", 0),
        ({"messages": [{"role": "user", "content": "four"}]}, 4),
        (b'{"messages":[{"role":"user","content":[{"type":"text","text":"four"}]}]}', 4),
        ({"input": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]}, 0),
        ({"contents": [{"parts": [{"text": "four"}, {"inlineData": {"data": "AAAA"}}]}]}, 4),
        ({"modelId": "anthropic.x", "body": b'{"prompt":"four"}'}, 4),
        ({"model": "command", "message": "four", "chat_history": [{"message": "six..."}]}, 10),
    ],
)
def test_characters_of_a_request_are_those_of_its_texts(request_body, characters):
    assert sent_characters(request_body) == characters
