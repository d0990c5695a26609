"""OpenAI's usage objects, and those that imitate them: details are subsets of two totals.

Source: type docstrings of openai 3.54.0 (CompletionUsage, ResponseUsage, ImagesResponse.usage,
TranscriptionUsage), read 2026-11. LiteLLM's own Usage has the same form (1.109.1).
"""

from __future__ import annotations

from anchor_autopatch.job.meters.fields import Json, count, part
from anchor_autopatch.job.meters.record import TokenCount
from anchor_autopatch.job.meters.split import InputParts, split_input, split_output, spread_writes

_LIFETIMES = (
    ("cache_write_5m_tokens", ("ephemeral_5m_input_tokens", "ttl_5m_tokens")),
    ("cache_write_30m_tokens", ("ephemeral_30m_input_tokens", "ttl_30m_tokens")),
    ("cache_write_1h_tokens", ("ephemeral_1h_input_tokens", "ttl_1h_tokens")),
    ("cache_write_12h_tokens", ("ephemeral_12h_input_tokens", "ttl_12h_tokens")),
)


def read_totals(usage: Json) -> TokenCount:
    """Chat, completions, responses, embeddings, realtime and LiteLLM's normalised usage."""
    completion = count(usage, "completion_tokens", "output_tokens") or 0
    total = count(usage, "total_tokens")
    prompt = count(usage, "prompt_tokens", "input_tokens")
    if prompt is None:
        # Embeddings of some imitators state a total alone.
        prompt = max((total or 0) - completion, 0)
    details = part(usage, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    inputs, inputs_fit = _inputs(prompt, usage, details)
    outputs, outputs_fit = _outputs(prompt, completion, total, usage)
    return TokenCount({**inputs, **outputs}, total, inputs_fit and outputs_fit)


def read_images(usage: Json) -> TokenCount:
    """Image generation: output tokens are image tokens unless the details say otherwise."""
    prompt = count(usage, "input_tokens", "prompt_tokens") or 0
    produced = count(usage, "output_tokens", "completion_tokens") or 0
    details = part(usage, "input_tokens_details", "prompt_tokens_details")
    inputs, inputs_fit = _inputs(prompt, usage, details)
    itemised = part(usage, "output_tokens_details", "completion_tokens_details")
    image = count(itemised, "image_tokens") or 0 if itemised else produced
    outputs, outputs_fit = split_output(
        produced, reasoning=count(itemised, "reasoning_tokens") or 0, image=image
    )
    total = count(usage, "total_tokens")
    return TokenCount({**inputs, **outputs}, total, inputs_fit and outputs_fit)


def _inputs(prompt: int, usage: Json, details: Json) -> tuple[dict[str, int], bool]:
    cached_details = part(details, "cached_tokens_details")
    wanted = InputParts(
        # DeepSeek puts its hits beside the total; both names at once repeat one number.
        cached=count(details, "cached_tokens")
        or count(usage, "prompt_cache_hit_tokens", "cache_read_input_tokens")
        or 0,
        cached_audio=count(cached_details, "audio_tokens") or 0,
        # LiteLLM repeats one write count under three names, hence the first and never a sum.
        written=count(details, "cache_write_tokens")
        or count(details, "cache_creation_tokens")
        or count(usage, "cache_creation_input_tokens")
        or 0,
        audio=count(details, "audio_tokens") or 0,
        image=max(
            (count(details, "image_tokens") or 0) - (count(cached_details, "image_tokens") or 0), 0
        ),
        video=count(details, "video_tokens") or 0,
    )
    tokens, fitted = split_input(prompt, wanted)
    lifetimes = part(details, "cache_write_tokens_details", "cache_creation_token_details")
    shares = {meter: count(lifetimes, *names) or 0 for meter, names in _LIFETIMES}
    return tokens, spread_writes(tokens, shares) and fitted


def _outputs(
    prompt: int, completion: int, total: int | None, usage: Json
) -> tuple[dict[str, int], bool]:
    details = part(
        usage, "completion_tokens_details", "output_tokens_details", "output_token_details"
    )
    reasoning = count(details, "reasoning_tokens") or count(usage, "reasoning_tokens") or 0
    if reasoning and total == prompt + completion + reasoning:
        # xAI counts reasoning beside completion; only the total tells.
        completion += reasoning
    return split_output(
        completion,
        reasoning=reasoning,
        audio=count(details, "audio_tokens") or 0,
        image=count(details, "image_tokens") or 0,
        video=count(details, "video_tokens") or 0,
    )
