"""What invoice lines call the things they count, and which meters of a receipt they cover."""

from __future__ import annotations

import re

__all__ = ("COVERED_METERS", "WHOLE_METERS", "meter_of", "model_and_meter")

# Meter of an invoice line -> disjoint meters of receipts (usage_line.meter) that it pays for.
COVERED_METERS = {
    "input": ("input_tokens", "input_tool_tokens"),
    "input_tool": ("input_tool_tokens",),
    "input_audio": ("input_audio_tokens",),
    "input_image": ("input_image_tokens", "input_images"),
    "input_video": ("input_video_tokens",),
    "cache_read": ("cache_read_tokens", "cache_read_audio_tokens"),
    "cache_read_audio": ("cache_read_audio_tokens",),
    "cache_write": (
        "cache_write_tokens",
        "cache_write_5m_tokens",
        "cache_write_30m_tokens",
        "cache_write_1h_tokens",
        "cache_write_12h_tokens",
    ),
    "cache_write_5m": ("cache_write_5m_tokens", "cache_write_tokens"),
    "cache_write_30m": ("cache_write_30m_tokens",),
    "cache_write_1h": ("cache_write_1h_tokens",),
    "cache_write_12h": ("cache_write_12h_tokens",),
    "output": ("output_tokens", "output_reasoning_tokens"),
    "reasoning": ("output_reasoning_tokens",),
    "output_audio": ("output_audio_tokens", "audio_out_seconds"),
    "output_image": ("output_image_tokens", "images", "pixels"),
    "output_video": ("output_video_tokens", "video_seconds"),
    "image": ("images", "pixels", "output_image_tokens"),
    "seconds": ("audio_in_seconds", "audio_out_seconds", "video_seconds"),
    "character": ("characters",),
    "page": ("pages",),
    "web_search": ("searches",),
    "maps_query": ("map_queries",),
    "file_search": ("file_searches",),
    "query": ("queries",),
    "code_session": ("sessions",),
}

# Receipts whose cost is known only as a whole: every line of their model pays for them.
# provider_reported: the provider said the cost; '': no usage was seen.
WHOLE_METERS = ("provider_reported", "")

# Other words for the same, as invoices write them: OpenAI line items (free text), Anthropic token
# types (cost report, read 2026-11), xAI unit types, our own receipt meters.
_WORDS = {
    "prompt": "input",
    "uncached_input": "input",
    "text_input": "input",
    "input_text": "input",
    "audio_input": "input_audio",
    "image_input": "input_image",
    "video_input": "input_video",
    "input_tool_use": "input_tool",
    "cached_input": "cache_read",
    "cached_text": "cache_read",
    "cached_audio": "cache_read_audio",
    "cached_text_input": "cache_read",
    "input_cached": "cache_read",
    "cache_read_input": "cache_read",
    "cached_audio_input": "cache_read_audio",
    "cache_write_input": "cache_write",
    "cache_creation_input": "cache_write",
    "cache_creation_ephemeral_5m_input": "cache_write_5m",
    "cache_creation_ephemeral_1h_input": "cache_write_1h",
    "prompt_text": "input",
    "prompt_image": "input_image",
    "cached_prompt_text": "cache_read",
    "completion_text": "output",
    "completion": "output",
    "text_output": "output",
    "output_text": "output",
    "output_reasoning": "reasoning",
    "reasoning_output": "reasoning",
    "output_thinking": "reasoning",
    "thoughts": "reasoning",
    "audio_output": "output_audio",
    "image_output": "output_image",
    "video_output": "output_video",
    "images": "image",
    "image_generation": "image",
    "audio_in_seconds": "seconds",
    "audio_out_seconds": "output_audio",
    "video_seconds": "output_video",
    "characters": "character",
    "pages": "page",
    "searches": "web_search",
    "web_search_requests": "web_search",
    "web_search_calls": "web_search",
    "web_search_tool_calls": "web_search",
    "google_maps": "maps_query",
    "map_queries": "maps_query",
    "file_search_calls": "file_search",
    "file_search_tool_calls": "file_search",
    "file_searches": "file_search",
    "queries": "query",
    "sessions": "code_session",
    "code_interpreter": "code_session",
    "code_interpreter_sessions": "code_session",
    "code_execution": "code_session",
}
_TIERS = ("batch", "flex", "priority")


def meter_of(words: str) -> str | None:
    """The meter that an invoice means with these words; None when nobody knows them."""
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_").removesuffix("_tokens")
    if name in COVERED_METERS:
        return name
    return _WORDS.get(name)


def model_and_meter(line_item: str) -> tuple[str | None, str | None, str | None]:
    """Model, meter and tier of an OpenAI line item such as `gpt-5-2025-08-07, cached input, batch`.

    Line items are free text (API specification, read 2026-11): what is not understood is None, the
    line still lands and matches on a coarser level.
    """
    first, *rest = (part.strip() for part in line_item.split(","))
    tier = next((part.lower() for part in rest if part.lower() in _TIERS), None)
    words = next((part for part in rest if part.lower() not in _TIERS), None)
    if words is None:
        meter = meter_of(first)
        return (None, meter, tier) if meter or " " in first else (first or None, None, tier)
    start, _, remainder = words.partition(" ")
    if start.lower() in _TIERS:
        return first or None, meter_of(remainder), start.lower()
    return first or None, meter_of(words), tier
