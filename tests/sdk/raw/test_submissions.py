"""Background work that an application submits by itself: billed once, when it has ended."""

from __future__ import annotations

import json

import pytest

from anchor_autopatch import attribute
from tests.sdk.raw.ways import KEY

requests = pytest.importorskip("requests")

USAGE = {"input_tokens": 13, "output_tokens": 4, "total_tokens": 17}
QUEUED = {"id": "resp_1", "object": "response", "status": "queued", "model": "gpt-5"}
ANSWERED = QUEUED | {"status": "completed", "usage": USAGE}
VIDEO = {"id": "video_1", "status": "queued", "model": "sora-2", "seconds": "4", "size": "720x1280"}
BATCH = {"id": "batch_1", "object": "batch", "status": "validating", "endpoint": "/v1/responses"}
CLIP = "models/veo/operations/1"
TALK = {"id": "i-1", "status": "in_progress", "model": "gemini-2.5-flash"}
TALKED = {"total_input_tokens": 3, "total_output_tokens": 2, "total_tokens": 5}
# What is submitted where and with what, what is asked for, and the price facts of its end.
WORKS = {
    "response": (("/v1/responses", {"model": "gpt-5", "background": True}, QUEUED), (
        "/v1/responses/resp_1", ANSWERED), {}),
    "video": (("/v1/videos", {"model": "sora-2"}, VIDEO), (
        "/v1/videos/video_1", VIDEO | {"status": "completed"}), {"video_seconds": 4.0}),
    "batch": (("/v1/batches", {}, BATCH), (
        "/v1/batches/batch_1", BATCH | {"status": "completed", "usage": USAGE}), {"batch": True}),
    "clip": (
        (
            "/v1beta/models/veo:predictLongRunning",
            {"parameters": {"durationSeconds": 8}},
            {"name": CLIP},
        ),
        (
            f"/v1beta/{CLIP}",
            {
                "name": CLIP,
                "done": True,
                "response": {"generateVideoResponse": {"generatedSamples": [{}]}},
            },
        ),
        {"video_seconds": 8.0},
    ),
    "interaction": (("/v1beta/interactions", {"model": "gemini-2.5-flash"}, TALK), (
        "/v1beta/interactions/i-1", TALK | {"status": "completed", "usage": TALKED}), {}),
}  # fmt: skip
works = pytest.mark.parametrize("work", WORKS)


@pytest.fixture
def submit(server, work):
    def submit():
        path, body, answer = WORKS[work][0]
        server.answer(json.dumps(answer).encode(), headers=JSON, chunked=False)
        with attribute(team="search"):
            requests.post(server.url + path, json=body, headers=KEY, timeout=60).json()
        server.answers.clear()

    return submit


@pytest.fixture
def ask(server, work):
    def ask(answer=None, status=200):
        path, done = WORKS[work][1]
        body = json.dumps(answer or done).encode()
        server.answer(body, headers=JSON, status=status, chunked=False)
        requests.get(server.url + path, headers=KEY, timeout=60).json()
        server.answers.clear()

    return ask


JSON = {"content-type": "application/json"}


@works
def test_submission_is_not_billed(submit, one_receipt):
    submit()

    assert (one_receipt().billable, one_receipt().team) == (0, "search")
    assert json.loads(one_receipt().price_facts)["unfinished"] is True


@works
def test_end_is_billed_once_to_who_submitted_it(submit, ask, work, receipts):
    submit()
    ask(WORKS[work][0][2])
    ask()
    ask()

    (billed,) = (receipt for receipt in receipts() if receipt.billable)
    assert (billed.team, billed.usage_source, billed.sdk) == ("search", "provider", "requests")
    assert (json.loads(billed.price_facts or "{}").items()) >= WORKS[work][2].items()


@works
def test_refused_look_at_it_is_an_event_alone(ask, one_event, receipts):
    ask({"error": {"message": "no such thing"}}, status=404)

    assert (one_event().event_class, receipts()) == ("bad_request", [])


@pytest.mark.parametrize("path", ["/v1/models/gpt-5", "/v1/files/f-1", "/v1/messages/batches/b-1"])
def test_other_looks_are_nothing(path, server, receipts, events):
    server.answer(b'{"id": "x", "status": "completed"}', headers=JSON, chunked=False)

    requests.get(server.url + path, headers=KEY, timeout=60).json()

    assert (receipts(), events()) == ([], [])
