"""OpenAI chat completions and legacy completions on the wire, plain and streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator

from examples.provider_sim.answers import Answer, Bill, Frame
from examples.provider_sim.calls import Call
from examples.provider_sim.meters import openai_tokens
from examples.provider_sim.openai_common import (
    default_usage,
    finish,
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
from examples.provider_sim.values import Json, dump

_DONE = b"data: [DONE]\n\n"


def chat(call: Call) -> Answer:
    """Build the answer to POST /v1/chat/completions."""
    wide = max(1, int(call.body.get("n") or 1))
    usage = usage_of(call, default_usage(call, choices=wide))
    tool = _tool(call)
    words = _words(call, usage)
    head = _head(call, "chat.completion.chunk" if call.wants_stream else "chat.completion")
    bill = Bill(
        head["model"], usage, openai_tokens, partial_usage, head["id"], head["service_tier"]
    )
    if call.wants_stream:
        frames = list(_chunks(call, head, words, tool, usage, wide))
        return Answer(frames=frames, bill=bill, error_frame=_error_frame())
    choices = [_choice(call, i, "".join(words), tool) for i in range(wide)]
    return Answer({**head, "choices": choices, **seen_usage(call, usage)}, bill=bill)


def _head(call: Call, kind: str) -> Json:
    return {
        "id": response_id(call, "chatcmpl-", 29),
        "object": kind,
        "created": call.created,
        "model": served_model(call),
        "service_tier": served_tier(call),
        "system_fingerprint": "fp_simulated",
    }


def _words(call: Call, usage: Json) -> list[str]:
    wanted = call.body.get("response_format")
    if isinstance(wanted, dict) and call.plan.text is None:
        if wanted.get("type") == "json_schema":
            return cut(
                json.dumps(example_of(wanted["json_schema"].get("schema"))), call.plan.chunks or 4
            )
        if wanted.get("type") == "json_object":
            return cut('{"simulated": true}', call.plan.chunks or 4)
    return pieces(call, usage.get("completion_tokens") or 0)


def _tool(call: Call) -> tuple[str, str, str] | None:
    """Return id, name and arguments (JSON text) of the tool call in the reply, if it makes one."""
    functions = [
        tool["function"] for tool in call.body.get("tools") or () if tool.get("type") == "function"
    ]
    chosen = call.body.get("tool_choice")
    if chosen == "none":
        return None
    if isinstance(chosen, dict) and "function" in chosen:
        functions = [f for f in functions if f["name"] == chosen["function"]["name"]] or functions
    last = (call.body.get("messages") or [{}])[-1]
    known = [(f["name"], f.get("parameters")) for f in functions]
    found = tool_to_call(call, known, answered=last.get("role") in ("tool", "function"))
    return (call.state.ids.new("call_"), found[0], json.dumps(found[1])) if found else None


def _choice(call: Call, index: int, text: str, tool: tuple[str, str, str] | None) -> Json:
    message: Json = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    if tool:
        message["content"] = None
        message["tool_calls"] = [
            {"id": tool[0], "type": "function", "function": {"name": tool[1], "arguments": tool[2]}}
        ]
    return {
        "index": index,
        "message": message,
        "logprobs": None,
        "finish_reason": finish(call, tool is not None),
    }


def _chunks(
    call: Call,
    head: Json,
    words: list[str],
    tool: tuple[str, str, str] | None,
    usage: Json,
    wide: int,
) -> Iterator[Frame]:
    # Encoded once: benchmarks stream thousands of chunks.
    asked = _reports_usage(call)
    start, end = (
        dump(head)[:-1] + b',"choices":[',
        (b'],"usage":null}' if asked else b"]}") + b"\n\n",
    )

    def event(index: int, delta: Json, reason: str | None = None) -> bytes:
        choice: Json = {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}
        return b"data: " + start + dump(choice) + end

    opening: Json = {"role": "assistant", "content": "", "refusal": None}
    deltas: list[Json] = [{"content": word} for word in words]
    if tool:
        call_head = {
            "index": 0,
            "id": tool[0],
            "type": "function",
            "function": {"name": tool[1], "arguments": ""},
        }
        opening = {"role": "assistant", "content": None, "tool_calls": [call_head], "refusal": None}
        deltas = [
            {"tool_calls": [{"index": 0, "function": {"arguments": part}}]}
            for part in cut(tool[2], 3)
        ]
    for index in range(wide):
        yield Frame(event(index, opening), 0)
    done = 0
    for delta in deltas:
        for index in range(wide):
            done += 1
            yield Frame(event(index, delta), done)
    reason = finish(call, tool is not None)
    for index in range(wide):
        yield Frame(event(index, {}, reason), done, last=not asked and index == wide - 1)
    if asked:
        last = {**head, "choices": [], **seen_usage(call, usage)}
        yield Frame(b"data: " + dump(last) + b"\n\n", done, last=True)
    yield Frame(_DONE, done)


def _reports_usage(call: Call) -> bool:
    """Say whether the stream ends with a usage chunk; a host that leaves usage out sends none."""
    options = call.body.get("stream_options") or {}
    return options.get("include_usage") is True and not call.fault("no_usage")


def _error_frame() -> bytes:
    error = {
        "message": "Simulated: the server had an error",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    return b"data: " + dump({"error": error}) + b"\n\n"


def completions(call: Call) -> Answer:
    """Build the answer to POST /v1/completions (legacy)."""
    wide = max(1, int(call.body.get("n") or 1))
    default = default_usage(call, choices=wide)
    plain = {key: default[key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")}
    usage = usage_of(call, plain)
    head: Json = {
        "id": response_id(call, "cmpl-", 29),
        "object": "text_completion",
        "created": call.created,
        "model": served_model(call),
    }
    bill = Bill(head["model"], usage, openai_tokens, partial_usage, head["id"], None)
    words = pieces(call, usage["completion_tokens"])
    if call.wants_stream:
        frames = list(_text_chunks(call, head, words, usage))
        return Answer(frames=frames, bill=bill, error_frame=_error_frame())
    reason = finish(call, False)
    choices = [
        {"text": "".join(words), "index": i, "logprobs": None, "finish_reason": reason}
        for i in range(wide)
    ]
    return Answer({**head, "choices": choices, **seen_usage(call, usage)}, bill=bill)


def _text_chunks(call: Call, head: Json, words: list[str], usage: Json) -> Iterator[Frame]:
    asked = _reports_usage(call)
    for done, word in enumerate(words, 1):
        reason = finish(call, False) if done == len(words) else None
        choice = {"text": word, "index": 0, "logprobs": None, "finish_reason": reason}
        chunk = {**head, "choices": [choice], **({"usage": None} if asked else {})}
        yield Frame(b"data: " + dump(chunk) + b"\n\n", done, last=not asked and done == len(words))
    if asked:
        yield Frame(
            b"data: " + dump({**head, "choices": [], **seen_usage(call, usage)}) + b"\n\n",
            len(words),
            True,
        )
    yield Frame(_DONE, len(words))
