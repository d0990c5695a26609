"""Gemini's usage metadata, from generateContent, embeddings and the interactions API.

total = prompt + candidates + tool use prompt + thoughts; cached is a subset of prompt; the lists by
modality partition their counts. Source: type docstrings of google-genai 3.4.0, read 2026-11. Names
are read as on the wire (camelCase) and as the SDK dumps them (snake_case).
"""

from __future__ import annotations

from anchor_autopatch.job.meters.fields import Json, count, parts, text
from anchor_autopatch.job.meters.record import TokenCount
from anchor_autopatch.job.meters.split import InputParts, split_input, split_output

_MODALITIES = ("audio", "image", "video")


def read_content(usage: Json, *, grounded: bool) -> TokenCount:
    """Content and live turns; `grounded` = Google Search or Maps served this answer.

    The prompt of a grounding tool is counted and not billed (LiteLLM 1.109.1), other tools' is.
    """
    prompt = count(usage, "promptTokenCount", "prompt_token_count") or 0
    inputs, inputs_fit = _inputs(
        prompt,
        count(usage, "cachedContentTokenCount", "cached_content_token_count") or 0,
        _by_modality(usage, "promptTokensDetails", "prompt_tokens_details"),
        _by_modality(usage, "cacheTokensDetails", "cache_tokens_details"),
    )
    tool = count(usage, "toolUsePromptTokenCount", "tool_use_prompt_token_count") or 0
    inputs["unbilled_tokens" if grounded else "input_tool_tokens"] = tool
    total = count(usage, "totalTokenCount", "total_token_count")
    outputs, outputs_fit = _outputs(usage, prompt + tool, total)
    return TokenCount({**inputs, **outputs}, total, inputs_fit and outputs_fit)


def read_embeddings(usage: Json) -> TokenCount:
    """Embeddings: input only, by modality where told; older answers carry a token count alone."""
    prompt = count(usage, "promptTokenCount", "prompt_token_count", "tokenCount", "token_count")
    if prompt is None:
        counts = [count(each, "tokenCount", "token_count") for each in parts(usage, "statistics")]
        prompt = sum(each or 0 for each in counts) if counts else None
    by_modality = _by_modality(
        usage, "promptTokensDetails", "prompt_tokens_details", "promptTokenDetails"
    )
    inputs, fitted = _inputs(prompt or 0, 0, by_modality, {})
    total = count(usage, "totalTokenCount", "total_token_count")
    return TokenCount(inputs, total, fitted and prompt is not None)


def read_predictions(usage: Json) -> TokenCount:
    """Vertex AI's embeddings: a token count for each text."""
    told = [count(one, "token_count", "tokenCount") for one in parts(usage, "statistics")]
    known = [tokens for tokens in told if tokens is not None]
    return TokenCount({"input_tokens": sum(known)}, None, len(known) == len(told) > 0)


def read_cached_content(usage: Json) -> TokenCount:
    """A cache that was made: its content is billed as input once; storage is billed by time."""
    stored = count(usage, "totalTokenCount", "total_token_count")
    return TokenCount({"input_tokens": stored or 0}, stored, stored is not None)


def grounding(usage: Json, tool: str) -> int | None:
    """How often an interaction asked this tool; None when it tells no counts of tools."""
    told = parts(usage, "grounding_tool_count", "groundingToolCount")
    return (
        sum(count(one, "count") or 0 for one in told if text(one, "type") == tool) if told else None
    )


def read_interactions(usage: Json) -> TokenCount:
    """The interactions API: thoughts and tool use stand beside input and output."""
    prompt = count(usage, "total_input_tokens", "totalInputTokens") or 0
    cached = count(usage, "total_cached_tokens", "totalCachedTokens") or 0
    by_modality = _by_modality(usage, "input_tokens_by_modality", "inputTokensByModality")
    cached_by = _by_modality(usage, "cached_tokens_by_modality", "cachedTokensByModality")
    inputs, inputs_fit = _inputs(prompt, cached, by_modality, cached_by)
    tool = count(usage, "total_tool_use_tokens", "totalToolUseTokens") or 0
    produced = count(usage, "total_output_tokens", "totalOutputTokens") or 0
    thoughts = count(usage, "total_thought_tokens", "totalThoughtTokens") or 0
    made = _by_modality(usage, "output_tokens_by_modality", "outputTokensByModality")
    outputs, outputs_fit = split_output(produced + thoughts, reasoning=thoughts, **made)
    tokens = {**inputs, "input_tool_tokens": tool, **outputs}
    return TokenCount(
        tokens, count(usage, "total_tokens", "totalTokens"), inputs_fit and outputs_fit
    )


def _inputs(
    prompt: int, cached: int, by_modality: dict[str, int], cached_by: dict[str, int]
) -> tuple[dict[str, int], bool]:
    # Without a breakdown of the cache, it is taken to have served text; the split does just that.
    uncached = {
        name: max(tokens - cached_by.get(name, 0), 0) for name, tokens in by_modality.items()
    }
    cached_audio = cached_by.get("audio", 0)
    uncached["audio"] = uncached.get("audio", 0) + cached_audio
    return split_input(prompt, InputParts(cached=cached, cached_audio=cached_audio, **uncached))


def _outputs(usage: Json, read: int, total: int | None) -> tuple[dict[str, int], bool]:
    produced = count(
        usage,
        "candidatesTokenCount",
        "candidates_token_count",
        "responseTokenCount",
        "response_token_count",
    )
    thoughts = count(usage, "thoughtsTokenCount", "thoughts_token_count") or 0
    made = _by_modality(
        usage,
        "candidatesTokensDetails",
        "candidates_tokens_details",
        "responseTokensDetails",
        "response_tokens_details",
    )
    whole = produced or 0
    if not (thoughts and total == read + whole):
        # Thoughts stand beside the candidates, unless the total leaves no room for them.
        whole += thoughts
    return split_output(whole, reasoning=thoughts, **made)


def _by_modality(usage: Json, *names: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in parts(usage, *names):
        modality = text(entry, "modality")
        if modality in _MODALITIES:
            tokens = count(entry, "tokenCount", "token_count", "tokens") or 0
            found[modality] = found.get(modality, 0) + tokens
    return found
