"""Bedrock's usage: Converse counts cache beside input; invoked models tell counts of their own.

Source: TokenUsage of botocore 1.44.5 and recorded answers of InvokeModel, read 2026-11.
"""

from __future__ import annotations

from anchor_autopatch.job.meters.fields import Json, count, part, parts, text
from anchor_autopatch.job.meters.record import TokenCount
from anchor_autopatch.job.meters.split import spread_writes

_HEADER = "x-amzn-bedrock-{}-token-count"
_LIFETIMES = {"5m": "cache_write_5m_tokens", "1h": "cache_write_1h_tokens"}


def read_converse(usage: Json) -> TokenCount:
    """Converse, and Nova's own bodies: input, cache reads and cache writes are additive."""
    tokens = {
        "input_tokens": count(usage, "inputTokens") or 0,
        "cache_read_tokens": count(usage, "cacheReadInputTokens", "cacheReadInputTokenCount") or 0,
        "cache_write_tokens": count(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount")
        or 0,
        "output_tokens": count(usage, "outputTokens") or 0,
    }
    shares: dict[str, int] = {}
    for entry in parts(usage, "cacheDetails"):
        meter = _LIFETIMES.get(text(entry, "ttl") or "")
        if meter is not None:
            shares[meter] = shares.get(meter, 0) + (count(entry, "inputTokens") or 0)
    # Nova's own bodies have a total that leaves the cache out.
    total = count(usage, "totalTokens")
    plain = tokens["input_tokens"] + tokens["output_tokens"]
    fitted = spread_writes(tokens, shares)
    return TokenCount(tokens, None if total == plain else total, fitted)


def read_invoke(usage: Json, lifetimes: Json) -> TokenCount:
    """What Bedrock itself counted for InvokeModel: in the last chunk of a stream, or in headers.

    `lifetimes` is the breakdown of cache writes that an Anthropic model told before.
    """
    tokens = {
        "input_tokens": _either(usage, "inputTokenCount", "input"),
        "cache_read_tokens": _either(usage, "cacheReadInputTokenCount", "cache-read-input"),
        "cache_write_tokens": _either(usage, "cacheWriteInputTokenCount", "cache-write-input"),
        "output_tokens": _either(usage, "outputTokenCount", "output"),
    }
    shares = {
        meter: count(lifetimes, f"ephemeral_{time}_input_tokens") or 0
        for time, meter in _LIFETIMES.items()
    }
    return TokenCount(tokens, None, spread_writes(tokens, shares))


def read_titan(usage: Json) -> TokenCount:
    """Amazon Titan: text and embeddings, streamed or not."""
    made = sum(count(result, "tokenCount") or 0 for result in parts(usage, "results"))
    tokens = {
        "input_tokens": count(usage, "inputTextTokenCount") or 0,
        "output_tokens": count(usage, "totalOutputTextTokenCount") or made,
    }
    return TokenCount(tokens, None, True)


def read_llama(usage: Json) -> TokenCount:
    """Meta Llama."""
    tokens = {
        "input_tokens": count(usage, "prompt_token_count") or 0,
        "output_tokens": count(usage, "generation_token_count") or 0,
    }
    return TokenCount(tokens, None, True)


def read_agent(usage: Json) -> TokenCount:
    """An agent's model calls, told one by one in its trace."""
    tokens: dict[str, int] = {}
    for call in parts(usage, "modelInvocations"):
        for meter, number in read_converse(call).tokens.items():
            tokens[meter] = tokens.get(meter, 0) + number
    return TokenCount(tokens, None, True)


def _either(usage: Json, metric: str, header: str) -> int:
    return count(usage, metric, _HEADER.format(header)) or 0


def lifetimes_in(facts: Json) -> Json:
    """The breakdown of cache writes among the price facts; {} without one."""
    return part(facts, "cache_creation")
