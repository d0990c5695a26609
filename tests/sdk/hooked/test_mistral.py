"""The Mistral SDK in its three generations and on two clouds, its jobs and their output files."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.metadata
import json

import pytest

import anchor_autopatch
from tests.sdk.hooked import tapes

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
TURN = [{"role": "user", "content": "Hi"}]
COMPLETION = {
    "id": "cmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "mistral-small-2506",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}
    ],
    "usage": USAGE,
}
CHUNK = {
    "id": "cmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "mistral-small-2506",
    "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": None}],
}
JOB = {
    "id": "job-1",
    "object": "batch",
    "input_files": ["file-in"],
    "endpoint": "/v1/chat/completions",
    "errors": [],
    "model": "mistral-small-latest",
    "status": "QUEUED",
    "created_at": 1,
    "total_requests": 2,
    "completed_requests": 0,
    "succeeded_requests": 0,
    "failed_requests": 0,
}
DONE = {**JOB, "status": "SUCCESS", "output_file": "file-out", "completed_requests": 2}
LINES = b"".join(
    json.dumps(
        {"id": f"r{n}", "custom_id": str(n), "response": {"status_code": 200, "body": COMPLETION}}
    ).encode()
    + b"\n"
    for n in range(2)
)
SUM = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
MAJOR = int(importlib.metadata.version("mistralai").partition(".")[0])
LIBRARY = "httpx2" if MAJOR >= 3 else "httpx"
SSE = "text/event-stream"


def http(answer, **options):
    module = importlib.import_module(LIBRARY)
    transport = tapes.transport(LIBRARY, answer, **options)
    return {
        "client": module.Client(transport=transport),
        "async_client": module.AsyncClient(transport=transport),
    }


def client(answer, **options):
    package = importlib.import_module("mistralai" if MAJOR == 1 else "mistralai.client")
    return package.Mistral(api_key="mi-test", **http(answer, **options))


def jobs(answer):
    batch = client(answer).batch
    return batch.jobs


def azure(answer, **options):
    package = importlib.import_module("mistralai_azure" if MAJOR == 1 else "mistralai.azure.client")
    address = {
        1: {"azure_endpoint": "https://acme.models.ai.azure.com", "azure_api_key": "az-test"},
    }.get(MAJOR, {"server_url": "https://acme.services.ai.azure.com", "api_key": "az-test"})
    return package.MistralAzure(**address, **http(answer, **options))


def google(answer, **options):
    package = importlib.import_module("mistralai_gcp" if MAJOR == 1 else "mistralai.gcp.client")
    maker = getattr(package, "MistralGoogleCloud" if MAJOR == 1 else "MistralGCP")
    with contextlib.suppress(TypeError):
        return maker(
            access_token="gcp", project_id="p", region="europe-west4", **http(answer, **options)
        )
    return maker(api_key="gcp", project_id="p", region="europe-west4", **http(answer, **options))


def test_every_generation_leaves_a_receipt(home, one_receipt):
    client(COMPLETION).chat.complete(model="mistral-small-latest", messages=TURN)

    receipt = one_receipt()
    assert (receipt.provider, receipt.sdk, receipt.billable) == ("mistral", "mistralai", 1)
    assert (receipt.response_model, json.loads(receipt.raw_usage)) == ("mistral-small-2506", USAGE)


@pytest.mark.parametrize("read_all", [True, False])
def test_stream_in_a_with_block_ends_with_it(home, one_receipt, read_all):
    answer = tapes.sse(CHUNK, {**CHUNK, "usage": USAGE} if read_all else CHUNK)
    streamed = client(answer, content_type=SSE).chat.stream(
        model="mistral-small-latest", messages=TURN
    )

    with streamed as stream:
        for _ in stream:
            if not read_all:
                break
    receipt = one_receipt()

    assert receipt.outcome == ("ok" if read_all else "partial")
    assert bool(receipt.raw_usage) == read_all


def test_async_stream_in_a_with_block_ends_with_it(home, one_receipt):
    answer = tapes.sse(CHUNK, {**CHUNK, "usage": USAGE})

    async def read():
        streamed = await client(answer, content_type=SSE).chat.stream_async(
            model="mistral-small-latest", messages=TURN
        )
        async with streamed as stream:
            return [chunk async for chunk in stream]

    assert len(asyncio.run(read())) == 2
    assert (one_receipt().outcome, json.loads(one_receipt().raw_usage)) == ("ok", USAGE)


def test_refusal_is_an_event(home, receipts, one_event):
    refusing = client({"message": "Rate limit exceeded"}, status=429)

    with pytest.raises(Exception, match="Rate limit"):
        refusing.chat.complete(model="mistral-small-latest", messages=TURN)

    assert (one_event().event_class, receipts()) == ("rate_limited", [])


def test_azure_invoices_its_own_client(home, one_receipt):
    azured = azure(COMPLETION)
    azured.chat.complete(model="mistral-large", messages=TURN)

    receipt = one_receipt()
    assert (receipt.provider, receipt.operation) == ("azure_ai", "chat")
    assert (receipt.sdk, json.loads(receipt.raw_usage)) == ("mistralai", USAGE)


def test_azure_streams_too(home, one_receipt):
    answer = tapes.sse(CHUNK, {**CHUNK, "usage": USAGE})

    azured = azure(answer, content_type=SSE)
    with azured.chat.stream(model="mistral-large", messages=TURN) as told:
        list(told)

    assert (one_receipt().provider, one_receipt().stream) == ("azure_ai", 1)


def test_google_cloud_invoices_its_own_client(home, one_receipt):
    googled = google(COMPLETION)
    googled.chat.complete(model="mistral-large-2411", messages=TURN)

    receipt = one_receipt()
    # A token that expires says nothing of who pays.
    assert (receipt.provider, receipt.operation, receipt.api_key_id) == ("vertex_ai", "chat", None)
    assert json.loads(receipt.raw_usage) == USAGE


def test_code_is_filled_in_on_google_cloud(home, one_receipt):
    googled = google(COMPLETION)
    googled.fim.complete(model="codestral-2", prompt="def f(")

    assert (one_receipt().provider, one_receipt().operation) == ("vertex_ai", "text_completion")


def submit(team="search"):
    with anchor_autopatch.attribute(team=team):
        jobs(JOB).create(
            input_files=["file-in"], endpoint="/v1/chat/completions", model="mistral-small-latest"
        )


def billed(rows):
    return [row for row in rows if row.billable]


def test_submitted_job_is_not_billed_yet(home, one_receipt):
    submit()

    receipt = one_receipt()
    assert (receipt.operation, receipt.billable, receipt.response_id) == ("batch", 0, "job-1")


def test_job_is_billed_when_its_output_is_downloaded(home, receipts):
    submit()
    jobs(DONE).get(job_id="job-1")

    body = client(LINES, content_type="application/octet-stream").files.download(file_id="file-out")
    assert body.read() == LINES

    (row,) = billed(receipts())
    assert (row.team, row.response_id, row.operation) == ("search", "job-1", "batch")
    assert json.loads(row.raw_usage) == SUM
    assert json.loads(row.price_facts) == {"batch": True, "requests": 2, "retrieved": True}


def test_output_that_is_downloaded_twice_is_billed_once(home, receipts):
    jobs(DONE).get(job_id="job-1")
    for _ in range(2):
        downloads = client(LINES, content_type="application/octet-stream").files
        b"".join(downloads.download(file_id="file-out").iter_bytes())

    assert [row.response_id for row in billed(receipts())] == ["job-1"]


def test_two_models_in_one_output_are_two_rows(home, receipts):
    jobs(DONE).get(job_id="job-1")
    lines = LINES + LINES.replace(b"mistral-small-2506", b"mistral-large-2411")

    client(lines, content_type="application/octet-stream").files.download(file_id="file-out").read()

    rows = {row.response_model: json.loads(row.raw_usage) for row in billed(receipts())}
    assert rows == {"mistral-small-2506": SUM, "mistral-large-2411": SUM}


def test_file_of_anything_else_leaves_nothing(home, receipts):
    client(LINES, content_type="application/octet-stream").files.download(file_id="other").read()

    assert receipts() == []


def test_job_that_brings_its_answers_is_billed_at_once(home, receipts):
    outputs = [json.loads(line) for line in LINES.splitlines()]
    for _ in range(2):
        jobs({**DONE, "outputs": outputs}).get(job_id="job-1")

    (row,) = billed(receipts())
    assert json.loads(row.raw_usage) == SUM


def test_job_that_failed_costs_nothing(home, receipts):
    submit()
    jobs({**JOB, "status": "FAILED"}).get(job_id="job-1")

    rows = receipts()
    assert [row.billable for row in rows] == [0, 0]
    assert "unfinished" not in json.loads(rows[1].price_facts)
