"""Cuts totals into disjoint parts, for providers whose details are subsets that may overlap.

Order of the cut as LiteLLM 1.109.1 has it (generic_cost_per_token): cache first, then audio, image,
video, and text takes what is left, so that the parts always sum to the total.
"""

from __future__ import annotations

from typing import NamedTuple


class InputParts(NamedTuple):
    """Details of an input total: subsets of it, those of the cache overlapping the modalities."""

    cached: int = 0
    cached_audio: int = 0
    written: int = 0
    audio: int = 0
    """Cached audio included."""
    image: int = 0
    video: int = 0


def split_input(total: int, parts: InputParts) -> tuple[dict[str, int], bool]:
    """Disjoint input meters that sum to `total`, writes as one, and whether all details fitted."""
    cached = min(parts.cached, total)
    cached_audio = min(parts.cached_audio, cached)
    written = min(parts.written, total - cached)
    budget = total - cached - written
    audio = min(max(parts.audio - cached_audio, 0), budget)
    image = min(parts.image, budget - audio)
    video = min(parts.video, budget - audio - image)
    tokens = {
        "input_tokens": budget - audio - image - video,
        "input_audio_tokens": audio,
        "input_image_tokens": image,
        "input_video_tokens": video,
        "cache_read_tokens": cached - cached_audio,
        "cache_read_audio_tokens": cached_audio,
        "cache_write_tokens": written,
    }
    modalities = parts.audio + parts.image + parts.video
    fitted = parts.cached + parts.written <= total and modalities <= total
    return tokens, fitted


def split_output(
    total: int, *, reasoning: int = 0, audio: int = 0, image: int = 0, video: int = 0
) -> tuple[dict[str, int], bool]:
    """Disjoint output meters that sum to `total`, and whether the details fitted into it."""
    tokens = {}
    left = total
    details = (("reasoning", reasoning), ("audio", audio), ("image", image), ("video", video))
    for name, wanted in details:
        taken = min(wanted, left)
        tokens[f"output_{name}_tokens"] = taken
        left -= taken
    return {"output_tokens": left, **tokens}, reasoning + audio + image + video <= total


def spread_writes(tokens: dict[str, int], by_time: dict[str, int]) -> bool:
    """Moves written tokens to the meters of their lifetimes; False when those are more."""
    written = tokens["cache_write_tokens"]
    if sum(by_time.values()) > written:
        return False
    tokens |= by_time
    tokens["cache_write_tokens"] = written - sum(by_time.values())
    return True
