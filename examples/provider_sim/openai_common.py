"""What the OpenAI operations share: usage, tiers, finish reasons, usual headers."""

from __future__ import annotations

from examples.provider_sim.answers import Answer, Headers
from examples.provider_sim.calls import Call
from examples.provider_sim.values import Json, input_tokens, overlay, share

_TIERS = {"flex": "flex", "priority": "priority", "fast": "priority", "scale": "scale"}


def output_tokens(call: Call, read: int) -> int:
    """Return the default output of a choice: 8 plus input modulo 9, within the caller's maximum."""
    body = call.body
    limit = (
        body.get("max_completion_tokens") or body.get("max_tokens") or body.get("max_output_tokens")
    )
    return min(8 + read % 9, int(limit)) if limit else 8 + read % 9


def default_usage(call: Call, *, choices: int = 1) -> Json:
    """Return the usage of a chat completion by the default rule."""
    read = input_tokens(call.body)
    made = output_tokens(call, read) * choices
    return {
        "prompt_tokens": read,
        "completion_tokens": made,
        "total_tokens": read + made,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def usage_of(call: Call, default: Json) -> Json:
    """Return the true usage: the wished one over the default, its total summed unless given."""
    wished = call.plan.usage
    usage = overlay(default, wished)
    # A wished total stays even when it is wrong: that is what the wish is for.
    if wished and "total_tokens" in default and "total_tokens" not in wished:
        read = usage.get("prompt_tokens", usage.get("input_tokens")) or 0
        usage["total_tokens"] = read + (
            usage.get("completion_tokens", usage.get("output_tokens")) or 0
        )
    return usage


def seen_usage(call: Call, usage: Json) -> Json:
    """Return {"usage": ...} as the client is to see it: left out, null, or the truth."""
    if call.fault("no_usage"):
        return {}
    return {"usage": None if call.fault("null_usage") else usage}


def partial_usage(usage: Json, done: int, of: int) -> Json:
    """Return the usage after `done` of `of` chunks: all input, output in proportion."""
    prefix = "completion" if "completion_tokens" in usage else "output"
    made = share(usage.get(f"{prefix}_tokens") or 0, done, of)
    parts = usage.get(f"{prefix}_tokens_details")
    changed: Json = {f"{prefix}_tokens": made}
    if isinstance(parts, dict):
        changed[f"{prefix}_tokens_details"] = {
            key: min(count or 0, made) for key, count in parts.items()
        }
    read = usage.get("prompt_tokens", usage.get("input_tokens")) or 0
    return {**usage, **changed, "total_tokens": read + made}


def served_tier(call: Call) -> str:
    """Return the service tier that served the call."""
    return call.plan.tier or _TIERS.get(str(call.body.get("service_tier")), "default")


def finish(call: Call, calls_tool: bool) -> str:
    """Return the finish reason of a chat choice."""
    if call.fault("filtered"):
        return "content_filter"
    return "tool_calls" if calls_tool else "stop"


def not_found(message: str) -> Answer:
    """Return the free 404 of an object that the simulator does not hold."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return Answer({"error": error}, status=404)


def model_in(path: str) -> str | None:
    """Return the model that an Azure path names as its deployment, if it does."""
    _, found, rest = path.partition("/deployments/")
    return rest.partition("/")[0] if found else None


def usual_headers(call: Call) -> Headers:
    """Return the headers that every OpenAI answer carries."""
    return [
        (b"x-request-id", call.request_id.encode()),
        (b"openai-version", b"2020-10-01"),
        (b"openai-organization", b"org-simulated"),
        (b"openai-processing-ms", b"1"),
        (b"x-ratelimit-limit-requests", b"10000"),
        (b"x-ratelimit-remaining-requests", b"9999"),
        (b"x-ratelimit-limit-tokens", b"30000000"),
        (b"x-ratelimit-remaining-tokens", b"29999000"),
    ]
