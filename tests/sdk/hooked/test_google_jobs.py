"""Google's batches that answer in a file, and Vertex AI's jobs: billed at their end, once."""

from __future__ import annotations

import importlib
import importlib.metadata
import json

import pytest
from google import genai

import anchor_autopatch
from tests.sdk.hooked import tapes

MAJOR = int(importlib.metadata.version("google-genai").partition(".")[0])
LIBRARY = "httpx2" if MAJOR >= 3 else "httpx"
pytestmark = pytest.mark.filterwarnings("ignore")
PREDICTIONS = "projects/p/locations/us-central1/batchPredictionJobs/7"
JOB = {
    "name": PREDICTIONS,
    "state": "JOB_STATE_PENDING",
    "model": "publishers/google/models/gemini-2.5-flash",
}
DONE = {**JOB, "state": "JOB_STATE_SUCCEEDED", "completionStats": {"successfulCount": "12"}}
TUNING = {
    "name": "projects/p/locations/us-central1/tuningJobs/8",
    "state": "JOB_STATE_RUNNING",
    "baseModel": "gemini-2.5-flash",
}
TUNED = {
    **TUNING,
    "state": "JOB_STATE_SUCCEEDED",
    "tuningDataStats": {
        "supervisedTuningDataStats": {
            "totalBillableTokenCount": "5000",
            "userDatasetExamples": [{"parts": [{"text": "a secret example"}]}],
        }
    },
}
BATCH = {"name": "batches/b1", "metadata": {"state": "BATCH_STATE_PENDING"}}
ENDED = {
    "name": "batches/b1",
    "metadata": {
        "state": "BATCH_STATE_SUCCEEDED",
        "output": {"responsesFile": "files/batch-b1"},
    },
}
USAGE = {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}
LINE = {"key": "1", "response": {"modelVersion": "gemini-2.5-flash", "usageMetadata": USAGE}}
LINES = b"".join(json.dumps({**LINE, "key": str(n)}).encode() + b"\n" for n in range(2))


def client(answer, *, vertex=False, **options):
    module = importlib.import_module(LIBRARY)
    transport = tapes.transport(LIBRARY, answer, **options)
    http = genai.types.HttpOptions(
        base_url="https://us-central1-aiplatform.googleapis.com" if vertex else None,
        httpx_client=module.Client(transport=transport),
    )
    if not vertex:
        return genai.Client(api_key="gemini-test", http_options=http)
    from google.oauth2.credentials import Credentials

    return genai.Client(
        vertexai=True,
        project="p",
        location="us-central1",
        credentials=Credentials(token="made-up"),
        http_options=http,
    )


def billed(rows):
    return [row for row in rows if row.billable]


def submit():
    with anchor_autopatch.attribute(team="nightly"):
        client(JOB, vertex=True).batches.create(model="gemini-2.5-flash", src="gs://in/x.jsonl")


def test_vertex_batch_is_billed_at_its_end_without_usage(home, receipts):
    submit()
    for answer in (JOB, DONE, DONE):
        client(answer, vertex=True).batches.get(name=PREDICTIONS)

    (row,) = billed(receipts())
    assert (row.provider, row.team, row.operation) == ("vertex_ai", "nightly", "batch")
    assert (row.response_model, row.usage_source) == ("gemini-2.5-flash", "absent")
    assert json.loads(row.price_facts) == {"batch": True, "requests": 12, "retrieved": True}


def test_vertex_batch_that_failed_costs_nothing(home, receipts):
    submit()
    client({**JOB, "state": "JOB_STATE_FAILED"}, vertex=True).batches.get(name=PREDICTIONS)

    assert billed(receipts()) == []


def test_tuning_job_keeps_its_billable_tokens_and_no_example(home, receipts):
    for answer in (TUNING, TUNED, TUNED):
        client(answer, vertex=True).tunings.get(name=TUNING["name"])

    (row,) = billed(receipts())
    assert (row.operation, row.response_model) == ("fine_tuning", "gemini-2.5-flash")
    assert json.loads(row.raw_usage) == {"totalBillableTokenCount": "5000"}


def test_batch_that_answers_in_a_file_is_billed_by_it(home, receipts):
    with anchor_autopatch.attribute(team="nightly"):
        client(BATCH).batches.create(model="gemini-2.5-flash", src="files/in")
    client(ENDED).batches.get(name="batches/b1")
    for _ in range(2):
        body = client(LINES, content_type="application/octet-stream").files.download(
            file="files/batch-b1"
        )
        assert body == LINES

    (row,) = billed(receipts())
    assert (row.team, row.response_id, row.response_model) == (
        "nightly", "batches/b1", "gemini-2.5-flash",
    )  # fmt: skip
    assert json.loads(row.raw_usage)["totalTokenCount"] == 14


def test_other_downloads_leave_nothing(home, receipts):
    client(LINES, content_type="application/octet-stream").files.download(file="files/x")

    assert receipts() == []


INTERACTION = {
    "id": "interactions/i1",
    "model": "gemini-2.5-flash",
    "status": "completed",
    "usage": {"total_input_tokens": 5, "total_output_tokens": 2, "total_tokens": 7},
}


def test_interaction_of_a_trigger_belongs_to_who_ran_it(home, receipts):
    if not hasattr(genai.Client, "triggers"):
        pytest.skip("this SDK has no triggers")
    execution = {"id": "e1", "trigger_id": "t1", "interaction_id": "interactions/i1"}
    with anchor_autopatch.attribute(team="alarms"):
        client(execution).triggers.run("t1")
    for _ in range(2):
        client(INTERACTION).interactions.get("interactions/i1")

    (row,) = billed(receipts())
    assert (row.team, row.operation, row.response_id) == (
        "alarms", "interactions", "interactions/i1",
    )  # fmt: skip
