"""Anthropic messages on the wire: plain, streamed, token counting and the model list."""

from __future__ import annotations

import json
from collections.abc import Iterator

from examples.provider_sim.answers import Answer, Bill, Frame, Headers
from examples.provider_sim.calls import Call
from examples.provider_sim.meters import anthropic
from examples.provider_sim.replies import (
    ALIASES,
    cut,
    pieces,
    response_id,
    served_model,
    tool_to_call,
)
from examples.provider_sim.values import Json, dump, input_tokens, overlay, share

_SIGNATURE = "c2ltdWxhdGVk"


def messages(call: Call) -> Answer:
    """Build the answer to POST /v1/messages."""
    usage = _usage(call)
    head: Json = {
        "id": response_id(call, "msg_", 24),
        "type": "message",
        "role": "assistant",
        "model": served_model(call),
    }
    bill = Bill(head["model"], usage, anthropic, _partial, head["id"], usage.get("service_tier"))
    blocks = _blocks(call, usage)
    reason = _stop_reason(call, blocks)
    if call.wants_stream:
        return Answer(
            frames=list(_events(call, head, blocks, reason, usage)),
            bill=bill,
            error_frame=_error_frame(),
        )
    body = {
        **head,
        "content": [block for block, _ in blocks],
        "stop_reason": reason,
        "stop_sequence": None,
    }
    return Answer({**body, **_seen(call, usage)}, bill=bill)


def _usage(call: Call) -> Json:
    read = input_tokens(call.body)
    limit = int(call.body.get("max_tokens") or 4096)
    default = {
        "input_tokens": read,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": min(8 + read % 9, limit),
        "service_tier": call.plan.tier or "standard",
        "inference_geo": "global",
    }
    wished = call.plan.usage or {}
    usage = overlay(default, wished)
    written, parts = wished.get("cache_creation_input_tokens"), wished.get("cache_creation")
    if written is not None and "cache_creation" not in wished:
        usage["cache_creation"] = {
            "ephemeral_5m_input_tokens": written,
            "ephemeral_1h_input_tokens": 0,
        }
    elif written is None and isinstance(parts, dict):
        usage["cache_creation_input_tokens"] = sum(usage["cache_creation"].values())
    return usage


def _partial(usage: Json, done: int, of: int) -> Json:
    """Return the usage after `done` of `of` chunks: all input, output in proportion."""
    made = share(usage.get("output_tokens") or 0, done, of)
    changed: Json = {"output_tokens": made}
    parts = usage.get("output_tokens_details")
    if isinstance(parts, dict):
        changed["output_tokens_details"] = {
            key: min(count or 0, made) for key, count in parts.items()
        }
    return {**usage, **changed}


def _seen(call: Call, usage: Json) -> Json:
    if call.fault("no_usage"):
        return {}
    return {"usage": None if call.fault("null_usage") else usage}


def _blocks(call: Call, usage: Json) -> list[tuple[Json, list[str]]]:
    """Return the content blocks of the reply, each with the pieces that a stream delivers."""
    blocks: list[tuple[Json, list[str]]] = []
    if (call.body.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        blocks.append(
            (
                {"type": "thinking", "thinking": "Simulated.", "signature": _SIGNATURE},
                ["Simulated."],
            )
        )
    tool = _tool(call)
    if tool:
        text = json.dumps(tool["input"])
        return [*blocks, (tool, cut(text, 3))]
    words = pieces(call, usage.get("output_tokens") or 0)
    return [*blocks, ({"type": "text", "text": "".join(words)}, words)]


def _tool(call: Call) -> Json | None:
    tools = [tool for tool in call.body.get("tools") or () if "input_schema" in tool]
    chosen = call.body.get("tool_choice") or {}
    if chosen.get("type") == "none":
        return None
    if chosen.get("type") == "tool":
        tools = [tool for tool in tools if tool["name"] == chosen["name"]] or tools
    known = [(tool["name"], tool["input_schema"]) for tool in tools]
    found = tool_to_call(call, known, answered=_answered(call.body.get("messages") or []))
    if not found:
        return None
    return {
        "type": "tool_use",
        "id": call.state.ids.new("toolu_"),
        "name": found[0],
        "input": found[1],
    }


def _answered(turns: list[Json]) -> bool:
    content = turns[-1].get("content") if turns else None
    return isinstance(content, list) and any(
        block.get("type") == "tool_result" for block in content
    )


def _stop_reason(call: Call, blocks: list[tuple[Json, list[str]]]) -> str:
    if call.fault("filtered"):
        return "refusal"
    return "tool_use" if blocks[-1][0]["type"] == "tool_use" else "end_turn"


def _event(name: str, **values: object) -> bytes:
    return f"event: {name}\ndata: ".encode() + dump({"type": name, **values}) + b"\n\n"


def _events(
    call: Call, head: Json, blocks: list[tuple[Json, list[str]]], reason: str, usage: Json
) -> Iterator[Frame]:
    # The API sends a token or two here, before it has generated anything: a trap for who adds up.
    first: Json = {**head, "content": [], "stop_reason": None, "stop_sequence": None}
    yield Frame(
        _event("message_start", message={**first, **_seen(call, {**usage, "output_tokens": 1})}), 0
    )
    done = 0
    for index, (block, parts) in enumerate(blocks):
        yield Frame(_event("content_block_start", index=index, content_block=_empty(block)), done)
        if index == 0:
            yield Frame(_event("ping"), done)
        for part in parts:
            done += 1
            yield Frame(_event("content_block_delta", index=index, delta=_delta(block, part)), done)
        if block["type"] == "thinking":
            sign = {"type": "signature_delta", "signature": _SIGNATURE}
            yield Frame(_event("content_block_delta", index=index, delta=sign), done)
        yield Frame(_event("content_block_stop", index=index), done)
    delta: Json = {"stop_reason": reason, "stop_sequence": None}
    yield Frame(
        _event("message_delta", delta=delta, **_seen(call, _cumulative(usage))), done, last=True
    )
    yield Frame(_event("message_stop"), done)


def _empty(block: Json) -> Json:
    blank: Json = {"text": "", "thinking": "", "signature": "", "input": {}}
    return {key: blank.get(key, value) for key, value in block.items()}


def _delta(block: Json, part: str) -> Json:
    if block["type"] == "tool_use":
        return {"type": "input_json_delta", "partial_json": part}
    kind = str(block["type"])
    return {"type": f"{kind}_delta", kind: part}


def _cumulative(usage: Json) -> Json:
    """Return what message_delta repeats: counts without cache breakdown, tier, geography."""
    return {
        key: value
        for key, value in usage.items()
        if key not in ("cache_creation", "service_tier", "inference_geo")
    }


def _error_frame() -> bytes:
    return _event("error", error={"type": "overloaded_error", "message": "Simulated: overloaded"})


def count_tokens(call: Call) -> Answer:
    """Build the free answer to POST /v1/messages/count_tokens."""
    return Answer({"input_tokens": input_tokens(call.body)})


def models(call: Call) -> Answer:
    """Build the free answer to GET /v1/models."""
    names = [name for name in ALIASES.values() if name.startswith("claude")]
    data = [
        {
            "type": "model",
            "id": name,
            "display_name": name.replace("-", " ").title(),
            "created_at": "2025-01-01T00:00:00Z",
        }
        for name in names
    ]
    return Answer({"data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]})


def model_in(path: str) -> str | None:
    """Return the model that a Vertex path names (.../models/NAME:rawPredict), if it does."""
    return path.rpartition("/")[2].partition(":")[0] if path.endswith("Predict") else None


def usual_headers(call: Call) -> Headers:
    """Return the headers that every Anthropic answer carries."""
    return [
        (b"request-id", call.request_id.encode()),
        (b"anthropic-organization-id", b"00000000-0000-0000-0000-000000000000"),
        (b"anthropic-ratelimit-requests-limit", b"4000"),
        (b"anthropic-ratelimit-requests-remaining", b"3999"),
        (b"anthropic-ratelimit-tokens-limit", b"480000"),
        (b"anthropic-ratelimit-tokens-remaining", b"479000"),
    ]
