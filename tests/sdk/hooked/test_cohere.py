"""Cohere's jobs, and its clients for clouds: billed once, to who submitted, by who invoices."""

from __future__ import annotations

import importlib
import json

import cohere
import pytest

import anchor_autopatch
from tests.sdk.hooked import tapes

UNITS = {"billed_units": {"input_tokens": 120}}
JOB = {"job_id": "ej-1", "status": "processing", "model": "embed-v4.0", "truncate": "END"}
BATCH = {"id": "b-1", "name": "n", "model": "command-a", "status": "BATCH_STATUS_IN_PROGRESS"}
MODEL = {"id": "ft-1", "name": "n", "status": "STATUS_QUEUED"}
ANSWER = {"text": "Hello", "generation_id": "g-1", "finish_reason": "COMPLETE"}
COUNTS = {"X-Amzn-Bedrock-Input-Token-Count": "9", "X-Amzn-Bedrock-Output-Token-Count": "4"}


def client(answer, **options):
    httpx = importlib.import_module("httpx")
    http = httpx.Client(transport=tapes.transport("httpx", answer, **options))
    return cohere.ClientV2(api_key="co-test", httpx_client=http)


def billed(rows):
    return [row for row in rows if row.billable]


def test_embed_job_is_billed_at_its_end_to_who_submitted_it(home, receipts):
    with anchor_autopatch.attribute(team="search"):
        client({"job_id": "ej-1"}).embed_jobs.create(
            model="embed-v4.0", dataset_id="ds", input_type="search_document"
        )
    for answer in (JOB, *[{**JOB, "status": "complete", "meta": UNITS}] * 2):
        client(answer).embed_jobs.get("ej-1")

    assert [row.billable for row in receipts()] == [0, 1]
    (row,) = billed(receipts())
    assert (row.team, row.operation, row.response_model) == ("search", "embeddings", "embed-v4.0")
    assert json.loads(row.raw_usage)["billed_units"] == {"input_tokens": 120}


def test_batch_is_billed_by_the_counts_that_it_tells(home, receipts):
    done = {"status": "BATCH_STATUS_COMPLETED", "input_tokens": "70", "output_tokens": "30"}
    for _ in range(2):
        client({"batch": {**BATCH, **done}}).batches.retrieve("b-1")

    (row,) = billed(receipts())
    assert (row.operation, row.response_id, row.usage_shape) == (
        "batch",
        "b-1",
        "cohere.billed_units",
    )
    assert json.loads(row.raw_usage) == {"billed_units": {"input_tokens": 70, "output_tokens": 30}}
    assert json.loads(row.price_facts)["batch"] is True


def test_trained_model_is_billed_though_nobody_says_how_much(home, receipts):
    for status in ("STATUS_QUEUED", "STATUS_READY", "STATUS_READY"):
        client({"finetuned_model": {**MODEL, "status": status}}).finetuning.get_finetuned_model(
            "ft-1"
        )

    (row,) = billed(receipts())
    assert (row.operation, row.usage_source) == ("fine_tuning", "absent")


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_job_that_failed_costs_nothing(home, receipts, status):
    client({**JOB, "status": status}).embed_jobs.get("ej-1")

    assert billed(receipts()) == []


def on_aws(service, answer, **options):
    """A client of Cohere's for AWS whose every request gets this answer."""
    httpx = importlib.import_module("httpx")
    module = pytest.importorskip(f"cohere.{service}_client")
    maker = getattr(module, {"bedrock": "BedrockClient", "sagemaker": "SagemakerClient"}[service])
    made = maker(aws_access_key="AKIATEST", aws_secret_key="secret", aws_region="us-east-1")
    transport = httpx.MockTransport(
        lambda _request: httpx.Response(200, content=json.dumps(answer).encode(), **options)
    )
    made._client_wrapper.httpx_client.httpx_client._transport = transport
    return made


def test_amazon_invoices_the_client_for_bedrock(home, one_receipt):
    headers = {"content-type": "application/json", **COUNTS}

    on_aws("bedrock", ANSWER, headers=headers).chat(model="cohere.command-r-v1:0", message="Hi")

    row = one_receipt()
    assert (row.provider, row.request_model) == ("bedrock", "cohere.command-r-v1:0")
    assert row.provider_host == "bedrock-runtime.us-east-1.amazonaws.com"
    units = json.loads(row.raw_usage)["billed_units"]
    assert (units["input_tokens"], units["output_tokens"]) == (9, 4)


def test_counts_that_nobody_told_are_absent_not_minus_one(home, one_receipt):
    headers = {"content-type": "application/json"}

    on_aws("sagemaker", ANSWER, headers=headers).chat(model="my-endpoint", message="Hi")

    row = one_receipt()
    assert (row.provider, row.usage_source, row.raw_usage) == ("sagemaker", "absent", None)
