"""Batches, background responses and runs: billed once, at their end, to who submitted them."""

from __future__ import annotations

import importlib
import json

import pytest

import anchor_autopatch
from anchor_autopatch.host.providers import objects
from anchor_autopatch.host.providers.google import objects as google_objects
from tests.sdk.hooked import tapes

USAGE = {
    "input_tokens": 13,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 4,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 17,
}
QUEUED = {"id": "resp_1", "object": "response", "status": "queued", "output": [], "usage": None}
DONE = {**QUEUED, "status": "completed", "usage": USAGE, "model": "gpt-5"}
BATCH = {"id": "batch_1", "object": "batch", "status": "in_progress", "endpoint": "/v1/responses"}


@pytest.fixture(autouse=True)
def _no_objects():
    objects._submitted.clear()
    objects._settled.clear()


def openai(answer, **options):
    import openai

    library = "httpx2" if int(openai.__version__.partition(".")[0]) >= 3 else "httpx"
    client = importlib.import_module(library).Client(
        transport=tapes.transport(library, answer, **options)
    )
    return openai.OpenAI(api_key="sk-test", max_retries=0, http_client=client)


def submit():
    with anchor_autopatch.attribute(team="search", request_id="r-1"):
        openai(QUEUED).responses.create(model="gpt-5", input="Hi", background=True)


def test_a_background_response_is_not_billed_when_submitted(home, one_receipt):
    submit()

    assert (one_receipt().billable, one_receipt().response_id) == (0, "resp_1")


def test_its_end_is_billed_to_who_submitted_it(home, receipts):
    submit()
    openai(QUEUED).responses.retrieve("resp_1")
    openai(DONE).responses.retrieve("resp_1")

    (billed,) = (receipt for receipt in receipts() if receipt.billable)
    assert (billed.team, billed.request_id) == ("search", "r-1")
    assert json.loads(billed.raw_usage) == USAGE


def facts(receipt):
    return json.loads(receipt.price_facts or "{}")


def test_a_submission_says_that_its_object_goes_on(home, one_receipt):
    submit()

    assert facts(one_receipt())["unfinished"] is True


CREATED = {"type": "response.created", "sequence_number": 0, "response": QUEUED}
COMPLETED = {"type": "response.completed", "sequence_number": 1, "response": DONE}


def stream(*events):
    return openai(tapes.sse(*events), content_type="text/event-stream").responses


def test_a_background_stream_that_was_left_is_billed_when_resumed(home, receipts):
    with anchor_autopatch.attribute(team="search"):
        left = stream(CREATED).create(model="gpt-5", input="Hi", background=True, stream=True)
        next(iter(left))
        left.close()

    list(stream(CREATED, COMPLETED).retrieve("resp_1", stream=True, starting_after=0))

    submitted, billed = sorted(receipts(), key=lambda receipt: receipt.billable)
    assert (submitted.billable, facts(submitted)["unfinished"]) == (0, True)
    assert (billed.billable, billed.team, json.loads(billed.raw_usage)) == (1, "search", USAGE)


def test_a_background_stream_of_which_nothing_was_read_is_billed_as_unknown(home, one_receipt):
    stream(CREATED).create(model="gpt-5", input="Hi", background=True, stream=True).close()

    assert (one_receipt().billable, one_receipt().usage_source) == (1, "absent")


def test_a_background_stream_that_was_read_is_billed_at_once(home, one_receipt):
    events = stream(CREATED, COMPLETED)

    list(events.create(model="gpt-5", input="Hi", background=True, stream=True))

    assert (one_receipt().billable, json.loads(one_receipt().raw_usage)) == (1, USAGE)


def test_a_failure_ends_what_was_submitted_and_is_free(home, receipts):
    submit()
    for _ in range(2):
        openai({**QUEUED, "status": "failed"}).responses.retrieve("resp_1")

    (_, end) = receipts()
    assert (end.billable, end.response_id, facts(end)) == (0, "resp_1", {"retrieved": True})


def test_an_end_without_usage_is_not_taken_for_free(home, receipts):
    openai({**DONE, "usage": None}).responses.retrieve("resp_1")

    assert receipts() == []


def test_a_gateway_bills_whom_the_answer_names(home, receipts, monkeypatch):
    monkeypatch.setenv("ANCHOR_PROVIDER_HOSTS", "api.openai.com=by-model,gateway.test=by-model")
    client = openai(DONE)
    client.base_url = "https://gateway.test/v1"

    client.responses.retrieve("resp_1")

    assert [receipt.provider for receipt in receipts()] == ["openai"]


def test_asking_again_bills_nothing(home, receipts):
    for _ in range(3):
        openai(DONE).responses.retrieve("resp_1")

    assert [receipt.billable for receipt in receipts()] == [1]
    assert json.loads(receipts()[0].price_facts)["retrieved"] is True


def test_retrieving_what_was_billed_when_made_is_free(home, receipts):
    openai(DONE).responses.create(model="gpt-5", input="Hi")
    openai(DONE).responses.retrieve("resp_1")

    assert [receipt.billable for receipt in receipts()] == [1, 0]


def test_a_batch_is_billed_by_its_sum_when_it_ends(home, receipts):
    zeros = {**USAGE, "input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    openai({**BATCH, "usage": zeros}).batches.retrieve("batch_1")
    openai({**BATCH, "status": "completed", "usage": USAGE}).batches.retrieve("batch_1")

    (billed,) = receipts()
    assert (billed.operation, json.loads(billed.price_facts)["batch"]) == ("batch", True)


def test_a_failed_poll_is_never_billed(home, receipts, events):
    client = openai(DONE)
    client.base_url = "http://127.0.0.1:1"
    client._client.close()

    with pytest.raises(Exception):  # noqa: B017, PT011 - whichever the SDK raises
        client.responses.retrieve("resp_1")

    assert receipts() == []


def test_results_of_an_anthropic_batch_are_billed_line_by_line(home, receipts):
    import anthropic

    lines = [
        {"custom_id": str(n), "result": {"type": "succeeded", "message": message(n)}}
        for n in range(2)
    ]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    from anthropic._decoders.jsonl import JSONLDecoder

    library = "httpx2" if int(anthropic.__version__.partition(".")[0]) >= 1 else "httpx"
    fake = tapes.transport(library, body, content_type="application/x-jsonl")
    client = anthropic.Anthropic(
        api_key="sk-ant-test",
        max_retries=0,
        http_client=importlib.import_module(library).Client(transport=fake),
    )
    decoder = JSONLDecoder[anthropic.types.messages.MessageBatchIndividualResponse]

    results = list(client.get("/v1/messages/batches/b/results", cast_to=decoder, stream=True))

    assert len(results) == 2
    assert [receipt.response_id for receipt in receipts()] == ["msg_0", "msg_1"]
    assert {facts(receipt)["batch_id"] for receipt in receipts()} == {"b"}


def gemini(answer):
    from google import genai

    library = importlib.import_module("httpx")
    options = {"httpx_client": library.Client(transport=tapes.transport("httpx", answer))}
    return genai.Client(api_key="gemini-test", http_options=options)


GEMINI_BATCH = {"name": "batches/1", "metadata": {"state": "BATCH_STATE_RUNNING"}}


def gemini_answer(number):
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4}
    return {"response": {"responseId": f"g{number}", "usageMetadata": usage}}


def test_answers_of_a_gemini_batch_belong_to_who_submitted_it(home, receipts):
    inlined = {"inlinedResponses": {"inlinedResponses": [gemini_answer(1), gemini_answer(2)]}}
    done = {**GEMINI_BATCH, "metadata": {"state": "BATCH_STATE_SUCCEEDED", "output": inlined}}
    with anchor_autopatch.attribute(team="night"):
        gemini(GEMINI_BATCH).batches.create(model="gemini-3.8-flash", src=[])

    gemini(done).batches.get(name="batches/1")

    billed = sorted((r.response_id, r.team, facts(r)["batch_id"]) for r in receipts() if r.billable)
    assert billed == [("g1", "night", "batches/1"), ("g2", "night", "batches/1")]


def test_a_failed_gemini_batch_is_told_and_free(home, one_receipt):
    gemini({**GEMINI_BATCH, "metadata": {"state": "BATCH_STATE_FAILED"}}).batches.get(
        name="batches/1"
    )

    assert (one_receipt().response_id, one_receipt().billable) == ("batches/1", 0)


VIDEO = {"name": "models/veo-3/operations/1"}


def test_a_gemini_video_says_how_long_it_is_to_be(home, receipts):
    made = {"generateVideoResponse": {"generatedSamples": [{"video": {"uri": "u"}}]}}
    body = {
        "instances": [{"prompt": "a cat"}],
        "parameters": {"durationSeconds": 8, "resolution": "4k"},
    }
    # google-genai 3 has a method for it on Vertex AI alone.
    gemini(VIDEO)._api_client.request("post", "models/veo-3:predictLongRunning", body)
    google_objects._lengths.clear()  # as in another process

    ended = gemini({**VIDEO, "done": True, "response": made})
    ended._api_client.request("get", VIDEO["name"], {})

    assert [facts(receipt) for receipt in receipts()] == [
        {"unfinished": True, "video_seconds_each": 8.0, "video_resolution": "4k"},
        {"retrieved": True, "videos": 1},
    ]


def message(number):
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [],
        "usage": {"input_tokens": 3, "output_tokens": 1, "service_tier": "batch"},
    }
