"""Amazon Bedrock through boto3: usage is read as the application reads, and nothing is consumed."""

from __future__ import annotations

import gc
import json

import pytest

from tests.sdk.hooked import tapes

CONVERSED = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7, "serverToolUsage": {}},
    "metrics": {"latencyMs": 10},
}
MESSAGE = {"id": "msg_1", "type": "message", "usage": {"input_tokens": 9, "output_tokens": 4}}
HEADERS = {
    "x-amzn-bedrock-input-token-count": "9",
    "x-amzn-bedrock-output-token-count": "4",
}
TURN = [{"role": "user", "content": [{"text": "Hi"}]}]
STREAM = (
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello"}}),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": CONVERSED["usage"], "metrics": {"latencyMs": 10}}),
)


def invoke(body=MESSAGE, **answer):
    client = tapes.bedrock(json.dumps(body).encode(), **answer)
    return client.invoke_model(modelId="anthropic.claude-3", body=b"{}")["body"]


def test_converse_keeps_usage_as_on_the_wire(home, one_receipt):
    client = tapes.bedrock(json.dumps(CONVERSED).encode())

    client.converse(modelId="eu.amazon.nova-lite-v1:0", messages=TURN)

    receipt = one_receipt()
    assert json.loads(receipt.raw_usage) == CONVERSED["usage"]
    assert (receipt.provider, receipt.request_model) == ("bedrock", "eu.amazon.nova-lite-v1:0")
    assert json.loads(receipt.price_facts)["region"] == "eu-west-1"


@pytest.mark.parametrize("read", [lambda b: b.read(), lambda b: b"".join(b.iter_chunks(7))])
def test_an_invoked_body_reads_as_ever(home, one_receipt, read):
    body = invoke(headers=HEADERS)

    content = read(body)

    assert json.loads(content) == MESSAGE
    assert json.loads(one_receipt().raw_usage) == MESSAGE["usage"]
    assert one_receipt().usage_shape == "anthropic.messages"


def test_a_body_that_nobody_reads_is_counted_by_its_headers(home, one_receipt):
    body = invoke(headers=HEADERS)

    del body
    gc.collect()

    assert one_receipt().usage_shape == "bedrock.invoke"
    assert json.loads(one_receipt().raw_usage) == {name: int(v) for name, v in HEADERS.items()}


def test_a_converse_stream_tells_usage_at_its_end(home, one_receipt):
    client = tapes.bedrock(tapes.events(*STREAM))
    stream = client.converse_stream(modelId="amazon.nova-lite-v1:0", messages=TURN)["stream"]

    kinds = [next(iter(event)) for event in stream]

    assert kinds == [kind for kind, _ in STREAM]
    assert json.loads(one_receipt().raw_usage) == CONVERSED["usage"]


def test_a_stream_that_is_left_may_be_taken_up_again(home, one_receipt):
    client = tapes.bedrock(tapes.events(*STREAM))
    stream = client.converse_stream(modelId="amazon.nova-lite-v1:0", messages=TURN)["stream"]

    next(iter(stream))
    rest = list(stream)

    assert len(rest) == len(STREAM) - 1
    assert one_receipt().usage_source == "provider"


def test_a_dropped_stream_leaves_a_partial_receipt(home, one_receipt):
    client = tapes.bedrock(tapes.events(*STREAM))
    stream = client.converse_stream(modelId="amazon.nova-lite-v1:0", messages=TURN)["stream"]

    events = iter(stream)
    assert [next(iter(next(events))) for _ in range(2)] == ["messageStart", "contentBlockDelta"]
    stream.close()

    assert (one_receipt().outcome, one_receipt().usage_source) == ("partial", "estimated")
    facts = json.loads(one_receipt().price_facts)
    assert (facts["seen_characters"], facts["seen_chunks"]) == (len("Hello"), 1)
    assert facts["sent_characters"] == len("Hi")


def test_a_refused_call_leaves_an_event_and_no_receipt(home, receipts, one_event):
    refusal = json.dumps({"message": "Too many requests"}).encode()
    headers = {"x-amzn-errortype": "ThrottlingException", "content-type": "application/json"}
    client = tapes.bedrock(refusal, status=429, headers=headers)

    with pytest.raises(client.exceptions.ThrottlingException):
        client.converse(modelId="amazon.nova-lite-v1:0", messages=TURN)

    assert receipts() == []
    assert (one_event().event_class, one_event().code) == ("rate_limited", "ThrottlingException")


def test_other_services_leave_nothing(home, receipts):
    client = tapes.bedrock(b"{}", service="dynamodb")

    client.list_tables()

    assert receipts() == []
