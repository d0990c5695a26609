"""xAI's SamplingUsage, as gRPC carries it: reasoning stands beside the completion.

total = prompt + completion + reasoning; the prompt is text and images, the cache a part of the
text. Source: usage.proto of xai-sdk 1.21.0, read 2026-11. Counts of 0 are not sent.
"""

from __future__ import annotations

from anchor_autopatch.job.meters.fields import Json, count, part
from anchor_autopatch.job.meters.record import TokenCount
from anchor_autopatch.job.meters.split import InputParts, split_input, split_output

_SEARCHES = frozenset(("SERVER_SIDE_TOOL_WEB_SEARCH", "SERVER_SIDE_TOOL_X_SEARCH"))
_EXECUTIONS = frozenset(("SERVER_SIDE_TOOL_CODE_EXECUTION",))
_FILE_SEARCHES = frozenset(
    ("SERVER_SIDE_TOOL_COLLECTIONS_SEARCH", "SERVER_SIDE_TOOL_ATTACHMENT_SEARCH")
)


def read_sampling(usage: Json) -> TokenCount:
    """Chat, compaction, images and videos; the latter two may tell a cost and no token."""
    text = count(usage, "prompt_text_tokens") or 0
    image = count(usage, "prompt_image_tokens") or 0
    stated = count(usage, "prompt_tokens")
    prompt = text + image if stated is None else stated
    cached = count(usage, "cached_prompt_text_tokens") or 0
    inputs, inputs_fit = split_input(prompt, InputParts(cached=cached, image=image))
    completion = count(usage, "completion_tokens") or 0
    reasoning = count(usage, "reasoning_tokens") or 0
    total = count(usage, "total_tokens")
    if total != prompt + completion:
        # The total leaves room for the reasoning, so that it is no part of the completion.
        completion += reasoning
    outputs, outputs_fit = split_output(completion, reasoning=reasoning)
    return TokenCount({**inputs, **outputs}, total, inputs_fit and outputs_fit)


def searches(usage: Json) -> int | None:
    """Billed searches of the web and of X; None when the usage names no tool."""
    return _invocations(usage, _SEARCHES, "web_search_calls", "x_search_calls")


def file_searches(usage: Json) -> int | None:
    """Billed searches of the caller's own files; None when the usage names no tool."""
    return _invocations(usage, _FILE_SEARCHES, "file_search_calls", "document_search_calls")


def code_executions(usage: Json) -> int | None:
    """Billed runs of code; None when the usage names no tool."""
    return _invocations(usage, _EXECUTIONS, "code_interpreter_calls")


def _invocations(usage: Json, tools: frozenset[str], *counters: str) -> int | None:
    used = usage.get("server_side_tools_used")
    if isinstance(used, list):
        # One entry for each billed invocation, so a tool used twice stands there twice.
        return sum(name in tools for name in used)
    # The REST API counts them by kind.
    told = part(usage, "server_side_tool_usage_details")
    return sum(count(told, name) or 0 for name in counters) if told else None
