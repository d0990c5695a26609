"""Anthropic's managed agents, dreams and batches: billed where their ends are read, once."""

from __future__ import annotations

import importlib
import json

import anthropic
import pytest

import anchor_autopatch
from tests.sdk.hooked import tapes

MAJOR = int(anthropic.__version__.partition(".")[0])
LIBRARY = "httpx2" if MAJOR >= 1 else "httpx"
SSE = "text/event-stream"
MODEL = "claude-opus-5"
SESSION = {
    "id": "sesn_1",
    "type": "session",
    "agent": {"id": "agent_1", "model": {"id": MODEL}},
    "status": "idle",
}
USAGE = {
    "input_tokens": 9,
    "output_tokens": 4,
    "cache_read_input_tokens": 2,
    "cache_creation_input_tokens": 0,
}
ENDED = {
    "id": "sevt_2",
    "type": "span.model_request_end",
    "model_request_start_id": "sevt_1",
    "model_usage": USAGE,
}
GRADED = {"id": "sevt_3", "type": "span.outcome_evaluation_end", "result": "ok", "usage": USAGE}
FAILED = {
    **ENDED,
    "id": "sevt_4",
    "is_error": True,
    "model_usage": dict.fromkeys(USAGE, 0),
}
DREAM = {"id": "drm_1", "type": "dream", "model": {"id": MODEL}, "status": "running"}
BATCH = {"id": "msgbatch_1", "type": "message_batch", "processing_status": "in_progress"}


def client(answer, **options):
    module = importlib.import_module(LIBRARY)
    http = module.Client(transport=tapes.transport(LIBRARY, answer, **options))
    return anthropic.Anthropic(api_key="sk-ant-test", max_retries=0, http_client=http)


def beta(answer, **options):
    found = client(answer, **options).beta
    if not hasattr(found, "sessions"):
        pytest.skip("this SDK has no agents")
    return found


def named(*events):
    """Server-sent events with their names, as Anthropic sends them."""
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (event["type"].encode(), json.dumps(event).encode())
        for event in events
    )


def submit():
    with anchor_autopatch.attribute(team="agents"):
        beta(SESSION).sessions.create(agent="agent_1", environment_id="env_1")


def billed(rows):
    return [row for row in rows if row.billable]


READ = {
    "stream": lambda *events: list(
        beta(named(*events), content_type=SSE).sessions.events.stream("sesn_1")
    ),
    "list": lambda *events: list(
        beta({"data": events, "next_page": None}).sessions.events.list("sesn_1")
    ),
}


def test_session_is_not_billed_itself(home, one_receipt):
    submit()

    row = one_receipt()
    assert (row.operation, row.billable, row.response_id) == ("agent", 0, "sesn_1")


@pytest.mark.parametrize("way", READ)
def test_model_request_is_billed_where_its_end_is_read(home, receipts, way):
    submit()
    for _ in range(2):
        READ[way](ENDED, FAILED)

    (row,) = billed(receipts())
    assert (row.team, row.response_id, row.response_model) == ("agents", "sevt_2", MODEL)
    assert (row.usage_shape, json.loads(row.raw_usage)) == ("anthropic.messages", USAGE)
    assert json.loads(row.price_facts)["batch_id"] == "sesn_1"


def test_grader_of_an_outcome_is_billed_too(home, receipts):
    submit()
    READ["stream"](ENDED, GRADED)

    assert sorted(row.response_id for row in billed(receipts())) == ["sevt_2", "sevt_3"]


def test_next_request_belongs_to_who_asked_for_it(home, receipts):
    submit()
    with anchor_autopatch.attribute(team="support"):
        beta({"data": []}).sessions.events.send("sesn_1", events=[])
    READ["stream"](ENDED)

    (row,) = billed(receipts())
    assert row.team == "support"


def test_dream_is_billed_when_it_has_ended(home, receipts):
    if not hasattr(beta(DREAM), "dreams"):
        pytest.skip("this SDK has no dreams")
    with anchor_autopatch.attribute(team="memory"):
        client(DREAM).post("/v1/dreams", body={}, cast_to=dict[str, object])
    for _ in range(2):
        beta({**DREAM, "status": "completed", "usage": USAGE}).dreams.retrieve("drm_1")

    (row,) = billed(receipts())
    assert (row.team, row.operation, row.response_model) == ("memory", "dream", MODEL)
    assert json.loads(row.raw_usage) == USAGE


def test_batch_is_asked_for_its_state_at_no_cost(home, receipts):
    over = {**BATCH, "processing_status": "ended", "request_counts": {"succeeded": 2}}
    for answer in (BATCH, over):
        client(answer).messages.batches.retrieve("msgbatch_1")

    assert receipts() == []


def test_batch_without_any_result_is_over(home, one_receipt):
    over = {**BATCH, "processing_status": "ended", "request_counts": {"succeeded": 0}}

    client(over).messages.batches.retrieve("msgbatch_1")

    row = one_receipt()
    assert (row.billable, row.response_id) == (0, "msgbatch_1")
    assert json.loads(row.price_facts) == {"batch": True, "retrieved": True}
