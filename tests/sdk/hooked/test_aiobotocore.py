"""Amazon Bedrock through aiobotocore: read as the application reads, nothing consumed."""

from __future__ import annotations

import asyncio
import gc
import json

import pytest

from tests.sdk.hooked import tapes
from tests.sdk.hooked.test_bedrock import CONVERSED, HEADERS, MESSAGE, STREAM, TURN
from tests.sdk.raw.server import Server

pytest.importorskip("aiobotocore")
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

MODEL = "amazon.nova-lite-v1:0"


@pytest.fixture
def bedrock(home):
    """Runs a coroutine function with a client whose every request gets this answer."""

    async def main(url, use):
        options = {
            "region_name": "eu-west-1",
            "endpoint_url": url,
            "aws_access_key_id": "AKIATEST",
            "aws_secret_access_key": "secret",
            "config": AioConfig(retries={"max_attempts": 1}),
        }
        async with get_session().create_client("bedrock-runtime", **options) as client:
            return await use(client)

    def run(use, body, *, headers=None, status=200):
        with Server() as server:
            server.answer(body, headers=headers or {}, status=status, chunked=False)
            return asyncio.run(main(server.url, use))

    return run


def test_converse_is_one_receipt_with_its_usage(bedrock, one_receipt):
    answer = bedrock(
        lambda client: client.converse(modelId=MODEL, messages=TURN), json.dumps(CONVERSED).encode()
    )

    assert answer["stopReason"] == "end_turn"
    receipt = one_receipt()
    assert (receipt.provider, receipt.sdk, receipt.request_model) == (
        "bedrock",
        "aiobotocore",
        MODEL,
    )
    assert json.loads(receipt.raw_usage) == CONVERSED["usage"]
    assert len(receipt.api_key_id) == 16


def test_invoked_body_reads_as_ever(bedrock, one_receipt):
    async def use(client):
        answer = await client.invoke_model(modelId="anthropic.claude-3", body=b"{}")
        return await answer["body"].read()

    body = json.dumps(MESSAGE).encode()

    assert bedrock(use, body, headers=HEADERS) == body
    assert json.loads(one_receipt().raw_usage) == MESSAGE["usage"]


def test_body_in_a_with_block_is_counted(bedrock, one_receipt):
    async def use(client):
        answer = await client.invoke_model(modelId="anthropic.claude-3", body=b"{}")
        async with answer["body"] as body:
            return await body.read()

    body = json.dumps(MESSAGE).encode()

    assert bedrock(use, body, headers=HEADERS) == body
    # Version 2 hands out the response below the body: the headers count.
    assert one_receipt().usage_shape in ("anthropic.messages", "bedrock.invoke")
    assert one_receipt().usage_source == "provider"


def test_body_read_in_pieces_is_seen_too(bedrock, one_receipt):
    async def use(client):
        answer = await client.invoke_model(modelId="anthropic.claude-3", body=b"{}")
        return b"".join([piece async for piece in answer["body"].iter_chunks(7)])

    body = json.dumps(MESSAGE).encode()

    assert bedrock(use, body, headers=HEADERS) == body
    assert one_receipt().usage_shape == "anthropic.messages"


def test_stream_tells_usage_at_its_end(bedrock, one_receipt):
    async def use(client):
        answer = await client.converse_stream(modelId=MODEL, messages=TURN)
        return [next(iter(event)) async for event in answer["stream"]]

    assert bedrock(use, tapes.events(*STREAM)) == [kind for kind, _ in STREAM]
    receipt = one_receipt()
    assert (receipt.outcome, json.loads(receipt.raw_usage)) == ("ok", CONVERSED["usage"])


def test_stream_that_is_left_is_partial(bedrock, one_receipt):
    async def use(client):
        answer = await client.converse_stream(modelId=MODEL, messages=TURN)
        async for _ in answer["stream"]:
            break
        answer["stream"].close()
        del answer
        gc.collect()

    bedrock(use, tapes.events(*STREAM))

    assert one_receipt().outcome == "partial"


def test_refusal_is_an_event_and_no_receipt(bedrock, receipts, one_event):
    refusal = json.dumps({"message": "Too many requests"}).encode()
    headers = {"x-amzn-errortype": "ThrottlingException", "content-type": "application/json"}

    with pytest.raises(Exception, match="Too many requests"):
        bedrock(
            lambda client: client.converse(modelId=MODEL, messages=TURN),
            refusal,
            status=429,
            headers=headers,
        )

    assert receipts() == []
    assert one_event().code == "ThrottlingException"
