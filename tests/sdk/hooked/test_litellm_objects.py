"""Background work that LiteLLM submits and asks for: billed once, when it has ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from anchor_autopatch import attribute
from tests.sdk.raw.server import Server

litellm = pytest.importorskip("litellm", reason="no LiteLLM for this SDK world")

pytestmark = pytest.mark.filterwarnings("ignore")
JSON = {"content-type": "application/json"}
USAGE = {
    "input_tokens": 13,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 4,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 17,
}
TALKED = {"total_input_tokens": 3, "total_output_tokens": 2, "total_tokens": 5}
GEMINI = "gemini/gemini-2.5-flash"


class Work(NamedTuple):
    """How one kind is submitted and asked for, and what the provider says of it."""

    sdk: str
    submit: Callable[[dict[str, str]], object]
    ask: Callable[[dict[str, str]], object]
    begun: dict[str, Any]
    more_at_end: dict[str, Any]
    facts: dict[str, Any]
    address: str = "/v1"


WORKS = {
    "response": Work(
        "litellm>httpx",
        lambda to: litellm.responses(input="x", model="openai/gpt-5", background=True, **to),
        lambda to: litellm.get_responses("resp_1", custom_llm_provider="openai", **to),
        {"id": "resp_1", "status": "queued", "model": "gpt-5", "output": [], "created_at": 1},
        {"usage": USAGE},
        {},
    ),
    "video": Work(
        "litellm>httpx",
        lambda to: litellm.video_generation(prompt="x", model="openai/sora-2", **to),
        lambda to: litellm.video_status("video_1", custom_llm_provider="openai", **to),
        {"id": "video_1", "object": "video", "status": "queued", "model": "sora-2", "seconds": "4"},
        {},
        {"video_seconds": 4.0},
    ),
    "batch": Work(
        "litellm>openai",
        lambda to: litellm.create_batch(
            completion_window="24h",
            endpoint="/v1/responses",
            input_file_id="f",
            custom_llm_provider="openai",
            **to,
        ),
        lambda to: litellm.retrieve_batch("batch_1", custom_llm_provider="openai", **to),
        {
            "id": "batch_1",
            "object": "batch",
            "status": "validating",
            "endpoint": "/v1/responses",
            "completion_window": "24h",
            "input_file_id": "f",
            "created_at": 1,
        },
        {"usage": USAGE},
        {"batch": True},
    ),
    "interaction": Work(
        "litellm>httpx",
        lambda to: litellm.interactions.create(model=GEMINI, input="x", **to),
        lambda to: litellm.interactions.get("i-1", custom_llm_provider="gemini", **to),
        {"id": "i-1", "status": "in_progress", "model": "gemini-2.5-flash"},
        {"usage": TALKED},
        {},
        address="",
    ),
}


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_work_is_billed_at_its_end_to_who_submitted_it(work, home, receipts):
    with Server() as server:
        to = {"api_base": server.url + work.address, "api_key": "k"}

        def answered(call, answer):
            server.answers.clear()
            server.answer(json.dumps(answer).encode(), headers=JSON, chunked=False)
            call(to)

        with attribute(team="search"):
            answered(work.submit, work.begun)
        answered(work.ask, work.begun)
        for _ in range(2):
            answered(work.ask, work.begun | work.more_at_end | {"status": "completed"})

    submitted, ended = receipts()
    assert (submitted.billable, submitted.sdk) == (0, work.sdk)
    assert json.loads(submitted.price_facts)["unfinished"] is True
    assert (ended.billable, ended.sdk, ended.team) == (1, work.sdk, "search")
    assert ended.response_id == work.begun["id"]
    assert json.loads(ended.raw_usage or "{}") == work.more_at_end.get("usage", {})
    assert json.loads(ended.price_facts).items() >= work.facts.items()
