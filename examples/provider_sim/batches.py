"""Batches on the wire: OpenAI's, which tell one sum, and Anthropic's, which tell line by line.

They are billed when they are submitted, at half price, and end after `polls` retrievals.
"""

from __future__ import annotations

import json
from dataclasses import replace

from examples.provider_sim import anthropic_wire
from examples.provider_sim.answers import Answer, Bill
from examples.provider_sim.billing import Billing
from examples.provider_sim.calls import Call
from examples.provider_sim.meters import openai_tokens
from examples.provider_sim.openai_common import default_usage, not_found, partial_usage
from examples.provider_sim.replies import served_model
from examples.provider_sim.values import Json, dump

_TIER = "batch"
_LINES = (b"content-type", b"application/x-jsonl")


def upload(call: Call) -> Answer:
    """Build the free answer to POST /v1/files: the requests of a batch, one JSON object a line."""
    # A line of the form that is JSON is a line of the file: headers and boundaries are none.
    lines = [json.loads(line) for line in call.raw.splitlines() if line.startswith(b"{")]
    number = call.state.ids.new("file-")
    call.state.stored[number] = {"lines": lines}
    file = {"id": number, "object": "file", "bytes": len(call.raw), "created_at": call.created}
    named = {"filename": "batch.jsonl", "purpose": "batch", "status": "processed"}
    return Answer({**file, **named})


def submit(call: Call) -> Answer:
    """Build the answer to POST /v1/batches; bills the sum of its requests."""
    file = call.state.stored.get(str(call.body.get("input_file_id")))
    if file is None:
        return not_found(f"No such file: {call.body.get('input_file_id')!r}")
    bodies: list[Json] = [line["body"] for line in file["lines"]]
    parts = [replace(call, body=body, model=str(body.get("model"))) for body in bodies]
    model = served_model(parts[0]) if parts else ""
    usage = _sum([default_usage(part) for part in parts])
    batch: Json = {
        "id": call.state.ids.new("batch_"),
        "object": "batch",
        "endpoint": call.body.get("endpoint"),
        "model": model,
        "input_file_id": call.body.get("input_file_id"),
        "completion_window": call.body.get("completion_window"),
        "created_at": call.created,
        "request_counts": {"total": len(parts), "completed": len(parts), "failed": 0},
    }
    _keep(call, {**batch, "status": "completed", "usage": usage})
    bill = Bill(model, usage, openai_tokens, partial_usage, batch["id"], _TIER)
    return Answer({**batch, "status": "validating"}, bill=bill)


def _sum(usages: list[Json]) -> Json:
    read = sum(usage["prompt_tokens"] for usage in usages)
    made = sum(usage["completion_tokens"] for usage in usages)
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + made,
    }


def submit_messages(call: Call) -> Answer:
    """Build the answer to POST /v1/messages/batches; bills each of its requests."""
    plan = replace(call.plan, tier=_TIER)
    lines = []
    for asked in call.body.get("requests") or ():
        body: Json = asked["params"]
        part = replace(call, body=body, model=str(body.get("model")), plan=plan)
        answer = anthropic_wire.messages(part)
        Billing(part, None).charge(answer, delivered=False)
        result = {"type": "succeeded", "message": answer.body}
        lines.append({"custom_id": asked["custom_id"], "result": result})
    number = call.state.ids.new("msgbatch_")
    batch = {
        "id": number,
        "type": "message_batch",
        "created_at": call.at.isoformat(),
        "expires_at": call.at.isoformat(),
        "processing_status": "ended",
        "request_counts": {"processing": 0, "succeeded": len(lines), "errored": 0},
        # A path: the SDK puts the address that it was told before it.
        "results_url": f"/v1/messages/batches/{number}/results",
    }
    _keep(call, batch, lines)
    return Answer({**batch, "processing_status": "in_progress", "results_url": None})


def _keep(call: Call, ended: Json, lines: list[Json] | None = None) -> None:
    call.state.stored[ended["id"]] = {"ended": ended, "polls": call.plan.polls, "lines": lines}


def retrieve(call: Call) -> Answer:
    """Build the free answer to GET /v1/batches/{id}: in progress `polls` times, then ended."""
    kept = call.state.stored.get(str(call.request.path_params["id"]))
    if kept is None:
        return not_found(f"No such batch: {call.request.path_params['id']!r}")
    if kept["polls"] > 0:
        kept["polls"] -= 1
        return Answer(_under_way(kept["ended"]))
    return Answer(kept["ended"])


def _under_way(ended: Json) -> Json:
    if "processing_status" in ended:
        return {**ended, "processing_status": "in_progress", "results_url": None}
    return {**ended, "status": "in_progress", "usage": None}


def results(call: Call) -> Answer:
    """Build the free answer to GET /v1/messages/batches/{id}/results: one message a line."""
    kept = call.state.stored.get(str(call.request.path_params["id"]))
    if kept is None:
        return not_found(f"No such batch: {call.request.path_params['id']!r}")
    body = b"".join(dump(line) + b"\n" for line in kept["lines"])
    return Answer(body, content_type=_LINES)
