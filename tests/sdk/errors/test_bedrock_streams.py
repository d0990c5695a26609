"""Failures that Bedrock tells within a stream, after it answered 200, read by botocore itself."""

from __future__ import annotations

import pytest

from tests.sdk.hooked import tapes

TURN = [{"role": "user", "content": [{"text": "Hi"}]}]
BEGUN = (
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello"}}),
)
# The members of ConverseStreamOutput (Bedrock's API reference, read 2026-11) that are exceptions,
# and how they are classed where nothing had come before them.
EXCEPTIONS = [
    ("modelStreamErrorException", "partial_stream", "warning"),
    ("internalServerException", "provider_5xx", "warning"),
    ("throttlingException", "rate_limited", "warning"),
    ("serviceUnavailableException", "provider_overloaded", "warning"),
    ("validationException", "bad_request", None),
]


def told(server, *parts):
    """Lets the server answer with this event stream, over its socket."""
    headers = {"content-type": "application/vnd.amazon.eventstream"}
    server.answer(*parts, headers=headers)


@pytest.mark.parametrize("code", [row[0] for row in EXCEPTIONS])
def test_exception_after_the_first_chunk_is_a_broken_stream(
    bedrock, one_event, one_receipt, incidents, code
):
    server, client = bedrock
    told(server, tapes.events(*BEGUN), tapes.exception_event(code, "it failed"))
    stream = client.converse_stream(modelId="amazon.nova-lite-v1:0", messages=TURN)["stream"]

    with pytest.raises(Exception, match=code):
        list(stream)

    event, receipt = one_event(), one_receipt()
    assert (event.event_class, event.code, event.provider) == ("partial_stream", code, "bedrock")
    assert (receipt.outcome, event.receipt_id) == ("partial", receipt.receipt_id)
    assert incidents() == [("partial_stream", "warning")]


@pytest.mark.parametrize(("code", "event_class", "severity"), EXCEPTIONS)
def test_exception_before_any_chunk_is_classed_by_its_code(
    bedrock, one_event, incidents, code, event_class, severity
):
    server, client = bedrock
    told(server, tapes.exception_event(code, "it failed"))
    stream = client.converse_stream(modelId="amazon.nova-lite-v1:0", messages=TURN)["stream"]

    with pytest.raises(Exception, match=code):
        list(stream)

    assert (one_event().event_class, one_event().code) == (event_class, code)
    assert incidents() == ([(event_class, severity)] if severity else [])


def test_prompt_that_is_too_long_for_a_stream_says_so(bedrock, one_event):
    server, client = bedrock
    told(server, tapes.exception_event("validationException", "Input is too long for the model"))
    stream = client.converse_stream(modelId="amazon.nova-lite-v1:0", messages=TURN)["stream"]

    with pytest.raises(Exception, match="too long"):
        list(stream)

    assert one_event().event_class == "context_length"


@pytest.mark.parametrize("end", ["cut", "reset"])
def test_connection_that_breaks_within_a_stream_is_that_calls_failure_only(
    bedrock, one_event, one_receipt, end
):
    server, client = bedrock
    headers = {"content-type": "application/vnd.amazon.eventstream"}
    server.answer(tapes.events(*BEGUN), headers=headers, end=end)
    stream = client.converse_stream(modelId="amazon.nova-lite-v1:0", messages=TURN)["stream"]

    with pytest.raises(Exception):  # noqa: B017, PT011 - botocore lets several through
        list(stream)

    # Not one more by urllib3, which botocore reads from.
    assert (one_event().event_class, one_event().provider) == ("partial_stream", "bedrock")
    assert one_event().receipt_id == one_receipt().receipt_id
