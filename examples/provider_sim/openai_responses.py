"""OpenAI Responses on the wire: plain, streamed, in the background, retrieved, cancelled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from examples.provider_sim.answers import Answer, Bill, Frame
from examples.provider_sim.calls import Call
from examples.provider_sim.meters import openai_tokens
from examples.provider_sim.openai_common import (
    not_found,
    output_tokens,
    partial_usage,
    seen_usage,
    served_tier,
    usage_of,
)
from examples.provider_sim.replies import (
    cut,
    example_of,
    pieces,
    response_id,
    served_model,
    tool_to_call,
)
from examples.provider_sim.values import Json, dump, input_tokens

KEPT = 1000
# Settings of the request that the simulator does not use; it shows their usual values.
_UNUSED: Json = {
    "billing": {"payer": "developer"},
    "frequency_penalty": 0.0,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "temperature": 1.0,
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
}


class _Reply(NamedTuple):
    """A finished response object, the pieces of its only output item, the true usage."""

    response: Json
    parts: list[str]
    usage: Json


def respond(call: Call) -> Answer:
    """Build the answer to POST /v1/responses."""
    usage = _usage(call)
    reply = _reply(call, usage)
    response = reply.response
    bill = Bill(
        response["model"],
        usage,
        openai_tokens,
        partial_usage,
        response["id"],
        response["service_tier"],
    )
    in_background = call.body.get("background") is True
    _keep(call, reply, polls=call.plan.polls if in_background else 0)
    if call.wants_stream:
        frames = list(_events(reply, queued=in_background))
        return Answer(frames=frames, bill=bill, error_frame=_error_frame())
    return Answer(_unfinished(response, "queued") if in_background else response, bill=bill)


def _usage(call: Call) -> Json:
    read = input_tokens(call.body)
    made = output_tokens(call, read)
    default = {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + made,
    }
    return usage_of(call, default)


def _reply(call: Call, usage: Json) -> _Reply:
    number = response_id(call, "resp_", 32)
    item, parts = _output(call, usage)
    body = call.body
    response: Json = {
        "id": number,
        "object": "response",
        "created_at": call.created,
        "status": "incomplete" if call.fault("filtered") else "completed",
        "background": body.get("background") is True,
        "completed_at": call.created,
        "error": None,
        "incomplete_details": {"reason": "content_filter"} if call.fault("filtered") else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "model": served_model(call),
        "output": [item],
        "previous_response_id": body.get("previous_response_id"),
        "service_tier": served_tier(call),
        "store": body.get("store") is not False,
        "text": body.get("text") or {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        **_UNUSED,
        **seen_usage(call, usage),
        "user": body.get("user"),
        **(call.plan.extra or {}),
    }
    return _Reply(response, parts, usage)


def _output(call: Call, usage: Json) -> tuple[Json, list[str]]:
    tool = _tool(call)
    if tool:
        arguments = json.dumps(tool[1])
        item: Json = {
            "id": call.state.ids.new("fc_"),
            "type": "function_call",
            "status": "completed",
            "call_id": call.state.ids.new("call_"),
            "name": tool[0],
            "arguments": arguments,
        }
        return item, cut(arguments, 3)
    words = _words(call, usage)
    text: Json = {"type": "output_text", "annotations": [], "logprobs": [], "text": "".join(words)}
    item = {
        "id": call.state.ids.new("msg_"),
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [text],
    }
    return item, words


def _words(call: Call, usage: Json) -> list[str]:
    wanted = (call.body.get("text") or {}).get("format") or {}
    if wanted.get("type") == "json_schema" and call.plan.text is None:
        return cut(json.dumps(example_of(wanted.get("schema"))), call.plan.chunks or 4)
    return pieces(call, usage.get("output_tokens") or 0)


def _tool(call: Call) -> tuple[str, Json] | None:
    tools = [tool for tool in call.body.get("tools") or () if tool.get("type") == "function"]
    if call.body.get("tool_choice") == "none":
        return None
    asked = call.body.get("input")
    last = asked[-1] if isinstance(asked, list) and asked else {}
    known = [(tool["name"], tool.get("parameters")) for tool in tools]
    return tool_to_call(call, known, answered=last.get("type") == "function_call_output")


def _unfinished(response: Json, status: str) -> Json:
    """Return the response as it looks before it is done: no output, no usage."""
    return {**response, "status": status, "output": [], "usage": None, "completed_at": None}


def _events(reply: _Reply, *, queued: bool = False) -> Iterator[Frame]:
    """Yield the events of a response stream."""
    number = 0

    def event(kind: str, **values: object) -> bytes:
        nonlocal number
        data = {"type": kind, "sequence_number": number, **values}
        number += 1
        return f"event: {kind}\ndata: ".encode() + dump(data) + b"\n\n"

    response, item = reply.response, reply.response["output"][0]
    extra: Json = {}
    if queued:
        yield Frame(event("response.queued", response=_unfinished(response, "queued")), 0)
    started = _unfinished(response, "in_progress")
    yield Frame(event("response.created", response=started), 0)
    yield Frame(event("response.in_progress", response=started), 0)
    blank = {**item, "status": "in_progress"}
    if item["type"] == "function_call":
        place: Json = {"item_id": item["id"], "output_index": 0}
        family, final = "response.function_call_arguments", {"arguments": item["arguments"]}
        blank["arguments"] = ""
    else:
        place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        family, final = "response.output_text", {"text": item["content"][0]["text"], "logprobs": []}
        blank["content"], extra = [], {"logprobs": []}
    yield Frame(event("response.output_item.added", output_index=0, item=blank), 0)
    if "content_index" in place:
        part = {**item["content"][0], "text": ""}
        yield Frame(event("response.content_part.added", **place, part=part), 0)
    for done, text in enumerate(reply.parts, 1):
        yield Frame(event(f"{family}.delta", **place, delta=text, **extra), done)
    done = len(reply.parts)
    yield Frame(event(f"{family}.done", **place, **final), done)
    if "content_index" in place:
        yield Frame(event("response.content_part.done", **place, part=item["content"][0]), done)
    yield Frame(event("response.output_item.done", output_index=0, item=item), done)
    yield Frame(event(f"response.{response['status']}", response=response), done, last=True)


def _error_frame() -> bytes:
    """Return the event by which the API reports a fault inside a stream."""
    error = {"type": "server_error", "code": "server_error", "message": "Simulated", "param": None}
    data = {"type": "error", "sequence_number": 999, "error": error, **error}
    return b"event: error\ndata: " + dump({**data, "type": "error"}) + b"\n\n"


def _keep(call: Call, reply: _Reply, *, polls: int) -> None:
    if reply.response["store"] or reply.response["background"]:
        stored = call.state.stored
        stored[reply.response["id"]] = {"reply": reply, "polls": polls}
        # Insertion order: the oldest goes.
        if len(stored) > KEPT:
            del stored[next(iter(stored))]


def retrieve(call: Call) -> Answer:
    """Build the free answer to GET /v1/responses/{id}: in progress `polls` times, then finished."""
    kept = call.state.stored.get(str(call.request.path_params["id"]))
    if kept is None:
        return not_found(f"Response with id '{call.request.path_params['id']}' not found.")
    reply: _Reply = kept["reply"]
    if call.request.query_params.get("stream") == "true":
        return Answer(frames=list(_events(reply, queued=True)))
    if kept["polls"] > 0:
        kept["polls"] -= 1
        return Answer(_unfinished(reply.response, "in_progress"))
    return Answer(reply.response)


def cancel(call: Call) -> Answer:
    """Build the free answer to POST /v1/responses/{id}/cancel; only the input stays billed."""
    number = str(call.request.path_params["id"])
    kept = call.state.stored.get(number)
    if kept is None:
        return not_found(f"Response with id '{number}' not found.")
    reply: _Reply = kept["reply"]
    if kept["polls"] > 0:
        usage = partial_usage(reply.usage, 0, 1)
        cancelled = {**_unfinished(reply.response, "cancelled"), "usage": usage}
        call.state.stored[number] = {"reply": _Reply(cancelled, [], usage), "polls": 0}
        _bill_cancelled(call, number, usage)
        return Answer(cancelled)
    return Answer(reply.response)


def _bill_cancelled(call: Call, number: str, usage: Json) -> None:
    ledger, prices = call.state.ledger, call.state.prices
    for row, charge in enumerate(ledger.charges()):
        if charge.response_id == number:
            meters = openai_tokens(usage)
            amounts = prices.amounts(charge.provider, charge.model, meters, charge.service_tier)
            ledger.revise(row, usage=usage, meters=meters, amounts=amounts, partial=True)


def delete(call: Call) -> Answer:
    """Build the free answer to DELETE /v1/responses/{id}."""
    number = str(call.request.path_params["id"])
    if call.state.stored.pop(number, None) is None:
        return not_found(f"Response with id '{number}' not found.")
    return Answer({"id": number, "object": "response.deleted", "deleted": True})
