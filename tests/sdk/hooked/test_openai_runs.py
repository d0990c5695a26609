"""Runs of assistants and videos: one receipt, at the end, however their end is learnt of."""

from __future__ import annotations

import importlib
import json

import openai
import pytest

import anchor_autopatch
from anchor_autopatch.host.providers import objects

LIBRARY = "httpx2" if int(openai.__version__.partition(".")[0]) >= 3 else "httpx"
pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
RUN = {
    "id": "run_1",
    "object": "thread.run",
    "thread_id": "thread_1",
    "assistant_id": "asst_1",
    "model": "gpt-4o",
    "status": "queued",
    "usage": None,
}
DONE = {**RUN, "status": "completed", "usage": USAGE}
WAITS = {**RUN, "status": "requires_action"}
VIDEO = {"id": "video_1", "object": "video", "model": "sora-2", "status": "queued", "seconds": "8"}
MADE = {**VIDEO, "status": "completed", "size": "1280x720"}


@pytest.fixture(autouse=True)
def _no_objects():
    objects._submitted.clear()
    objects._settled.clear()


class Script:
    """A client whose requests get these answers, one after the other."""

    def __init__(self, *answers):
        module = importlib.import_module(LIBRARY)
        self.answers = [self._response(module, answer) for answer in answers]
        transport = module.MockTransport(lambda _request: self.answers.pop(0))
        http = module.Client(transport=transport)
        self.client = openai.OpenAI(api_key="sk-test", max_retries=0, http_client=http)

    @staticmethod
    def _response(module, answer):
        if isinstance(answer, bytes):
            return module.Response(
                200, headers={"content-type": "text/event-stream"}, content=answer
            )
        # What the SDK waits between its polls.
        return module.Response(200, json=answer, headers={"openai-poll-after-ms": "1"})

    @property
    def runs(self):
        return self.client.beta.threads.runs


def events(*states):
    """A run's stream: events with names, and the run as data."""
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (name.encode(), json.dumps(run).encode())
        for name, run in states
    )


STREAM = events(("thread.run.created", RUN), ("thread.run.completed", DONE))
WAYS = {
    "polled": lambda: Script(RUN, RUN, DONE).runs.create_and_poll(
        thread_id="thread_1", assistant_id="asst_1"
    ),
    "retrieved": lambda: [
        Script(RUN).runs.create(thread_id="thread_1", assistant_id="asst_1"),
        Script(DONE).runs.retrieve("run_1", thread_id="thread_1"),
        Script(DONE).runs.retrieve("run_1", thread_id="thread_1"),
    ],
    "streamed": lambda: list(
        Script(STREAM).runs.create(thread_id="thread_1", assistant_id="asst_1", stream=True)
    ),
    "with a new thread": lambda: list(
        Script(STREAM).client.beta.threads.create_and_run(assistant_id="asst_1", stream=True)
    ),
    "after a tool": lambda: [
        Script(WAITS).runs.create(thread_id="thread_1", assistant_id="asst_1"),
        list(
            Script(STREAM).runs.submit_tool_outputs(
                "run_1", thread_id="thread_1", tool_outputs=[], stream=True
            )
        ),
    ],
    "cancelled": lambda: [
        Script(RUN).runs.create(thread_id="thread_1", assistant_id="asst_1"),
        Script({**DONE, "status": "cancelled"}).runs.cancel("run_1", thread_id="thread_1"),
    ],
}


@pytest.mark.parametrize("way", WAYS)
def test_run_is_billed_once_at_its_end(home, receipts, way):
    with anchor_autopatch.attribute(team="assistants"):
        WAYS[way]()

    (row,) = [row for row in receipts() if row.billable]
    assert (row.operation, row.response_id, row.team) == ("run", "run_1", "assistants")
    assert (row.usage_shape, json.loads(row.raw_usage)) == ("openai.chat", USAGE)


def test_helper_that_streams_a_run_bills_it_once(home, receipts):
    with Script(STREAM).runs.stream(thread_id="thread_1", assistant_id="asst_1") as stream:
        stream.until_done()

    assert [row.response_id for row in receipts() if row.billable] == ["run_1"]


makes_videos = pytest.mark.skipif(
    not hasattr(openai.OpenAI, "videos"), reason="this SDK makes no videos"
)


@makes_videos
def test_video_is_billed_by_its_seconds_when_it_is_done(home, receipts):
    videos = Script(VIDEO, VIDEO, MADE).client.videos
    videos.create_and_poll(model="sora-2", prompt="a cat", seconds="8")
    Script(MADE).client.videos.retrieve("video_1")

    (row,) = [row for row in receipts() if row.billable]
    assert (row.operation, row.response_model, row.usage_source) == ("video", "sora-2", "provider")
    facts = json.loads(row.price_facts)
    assert (facts["video_seconds"], facts["size"]) == (8.0, "1280x720")


@makes_videos
def test_video_that_failed_costs_nothing(home, receipts):
    videos = Script(VIDEO, {**VIDEO, "status": "failed"}).client.videos
    videos.create(model="sora-2", prompt="a cat")
    videos.retrieve("video_1")

    assert [row.billable for row in receipts()] == [0, 0]
