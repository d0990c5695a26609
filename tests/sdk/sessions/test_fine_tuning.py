"""A fine-tuning job bills its trained tokens once, to who submitted it; kept, not priced."""

from __future__ import annotations

import importlib
import json

import openai
import pytest

import anchor_autopatch
from tests.sdk.hooked import tapes

JOB = {
    "id": "ftjob-1",
    "object": "fine_tuning.job",
    "model": "gpt-4o-mini-2024-07-18",
    "status": "queued",
    "created_at": 1,
    "hyperparameters": {"n_epochs": 3},
    "organization_id": "org-1",
    "result_files": [],
    "seed": 1,
    "training_file": "file-1",
    "trained_tokens": None,
    "fine_tuned_model": None,
    "error": None,
    "finished_at": None,
    "validation_file": None,
}
DONE = {**JOB, "status": "succeeded", "trained_tokens": 12_000}


@pytest.fixture
def jobs(home):
    """The fine-tuning jobs of a client that always gets this answer."""
    library = "httpx2" if int(openai.__version__.partition(".")[0]) >= 3 else "httpx"
    made = []

    def answering(answer):
        http = importlib.import_module(library).Client(transport=tapes.transport(library, answer))
        made.append(openai.OpenAI(api_key="sk-test", max_retries=0, http_client=http))
        return made[-1].fine_tuning.jobs

    yield answering
    for client in made:
        client.close()


def test_job_is_billed_at_its_end_to_who_submitted_it(jobs, receipts):
    with anchor_autopatch.attribute(team="models"):
        jobs(JOB).create(model="gpt-4o-mini", training_file="file-1")
    for answer in (JOB, DONE, DONE):
        jobs(answer).retrieve("ftjob-1")

    rows = sorted((row.billable, row.team, row.raw_usage) for row in receipts())
    assert rows == [(0, "models", None), (1, "models", '{"trained_tokens":12000}')]


def test_training_is_not_read_as_tokens_of_a_model(jobs, one_receipt):
    jobs(DONE).retrieve("ftjob-1")

    receipt = one_receipt()
    assert (receipt.operation, receipt.usage_shape) == ("fine_tuning", "openai.fine_tuning")
    assert json.loads(receipt.raw_usage) == {"trained_tokens": 12_000}
