"""What a price depends on beside token counts: tier, speed, place, and units of other kinds."""

from __future__ import annotations

import re
from decimal import Decimal
from types import MappingProxyType

from anchor_autopatch.job.meters import cohere, gemini, xai
from anchor_autopatch.job.meters.fields import (
    HIGHEST_COUNT,
    Json,
    amount,
    count,
    milliseconds,
    part,
    text,
)
from anchor_autopatch.job.meters.record import Meters

# Served tier, as the providers spell it -> the name that rate cards use. LiteLLM 1.109.1.
_TIERS = MappingProxyType(
    {
        "default": "standard",
        "standard": "standard",
        "auto": "standard",
        "scale": "standard",
        "on_demand": "standard",
        "traffic_type_unspecified": "standard",
        "provisioned_throughput": "standard",
        "fast": "priority",
        "on_demand_priority": "priority",
        "on_demand_flex": "flex",
    }
)
LATENCY_OPTIMIZED = "latency_optimized"
_LINES = re.compile(r"\d{3,4}p|[248]k", re.ASCII)
_HIGH_RESOLUTION = 1024
_SIZE = re.compile(r"(\d{1,5})\D{1,3}(\d{1,5})")
# 1 tick = 1e-10 USD: docs.x.ai/developers/cost-tracking, read 2026-11.
_TICK_USD = Decimal("1e-10")
_COST_SCALE = Decimal("1e-18")


def with_facts(meters: Meters, usage: Json, facts: Json) -> Meters:
    """The meters with tier, place, units and the provider's own cost added."""
    size = text(facts, "image_size", "size")
    quality = text(facts, "image_quality", "quality")
    images = count(facts, "images")
    return meters._replace(
        images=images,
        pixels=_pixels(size, images),
        # Images that report tokens bill by them, whatever their size.
        image_variant=_variant(size, quality)
        if images and not meters.total_tokens
        else _video_variant(facts, size),
        input_images=_first(count(facts, "input_images"), count(cohere.units(usage), "images")),
        audio_in_ms=milliseconds(facts, "seconds", "duration")
        if "seconds" not in usage
        else milliseconds(usage, "seconds"),
        audio_out_ms=milliseconds(facts, "output_seconds"),
        video_ms=_video_ms(facts),
        video_resolution=_resolution(facts, size),
        characters=count(facts, "characters"),
        pages=_first(
            count(part(usage, "usage_info"), "pages_processed"),
            count(cohere.units(usage), "pages"),
            count(facts, "pages"),
        ),
        searches=_searches(usage, facts),
        map_queries=_first(count(facts, "map_queries"), gemini.grounding(usage, "google_maps")),
        file_searches=_first(count(facts, "file_searches"), xai.file_searches(usage)),
        queries=_first(
            count(facts, "queries", "search_units"), count(cohere.units(usage), "search_units")
        ),
        sessions=count(facts, "sessions", "code_interpreter_sessions"),
        tier=_tier(usage, facts),
        speed=text(usage, "speed") or text(facts, "speed"),
        inference_geo=text(usage, "inference_geo") or text(facts, "inference_geo"),
        region=text(facts, "region"),
        search_context=text(facts, "search_context_size"),
        provider_cost_usd=_reported_cost(usage, facts),
    )


def _tier(usage: Json, facts: Json) -> str:
    if facts.get("batch") is True:
        return "batch"
    served = (
        text(usage, "service_tier", "serviceTier", "trafficType", "traffic_type")
        or text(facts, "service_tier", "traffic_type")
        or "standard"
    )
    tier = _TIERS.get(served, served)
    # Bedrock's faster hardware, at a price of its own.
    fast = tier == "standard" and text(facts, "latency") == "optimized"
    return LATENCY_OPTIMIZED if fast else tier


def _searches(usage: Json, facts: Json) -> int | None:
    # OpenRouter spells the first one with `_details`.
    tools = part(usage, "server_tool_use", "server_tool_use_details")
    details = part(usage, "prompt_tokens_details")
    asked = part(part(facts, "tool_usage"), "web_search")
    return _first(
        count(tools, "web_search_requests"),
        count(details, "web_search_requests"),
        count(facts, "searches", "web_search"),
        count(asked, "num_requests"),
        count(usage, "num_search_queries"),
        gemini.grounding(usage, "google_search"),
        xai.searches(usage),
    )


def _reported_cost(usage: Json, facts: Json) -> Decimal | None:
    ticks = count(usage, "cost_in_usd_ticks")
    if ticks is not None:
        return ticks * _TICK_USD
    # Perplexity itemises it.
    stated = _first_amount(amount(usage, "cost"), amount(part(usage, "cost"), "total_cost"))
    cost = amount(facts, "cost") if stated is None else stated
    return None if cost is None else cost.quantize(_COST_SCALE)


def _video_ms(facts: Json) -> int | None:
    whole = milliseconds(facts, "video_seconds")
    each, videos = milliseconds(facts, "video_seconds_each"), count(facts, "videos")
    if whole is not None or each is None or videos is None:
        return whole
    # Gemini's answer counts its videos, and only the request said how long they are to be.
    made = each * videos
    return made if made < HIGHEST_COUNT else None


def _resolution(facts: Json, size: str | None) -> str | None:
    told = _LINES.search(text(facts, "video_resolution", "resolution") or "")
    if told:
        return told[0]
    lines = _short_side(facts, size)
    return f"{lines}p" if lines is not None else None


def _video_variant(facts: Json, size: str | None) -> str:
    """OpenAI's larger videos are listed as a model of their own: sora-2-pro-high-res."""
    lines = _short_side(facts, size)
    return "high-res" if lines is not None and lines >= _HIGH_RESOLUTION else ""


def _short_side(facts: Json, size: str | None) -> int | None:
    found = _SIZE.fullmatch(size or "")
    is_video = "video_seconds" in facts or "video_seconds_each" in facts
    return min(int(found[1]), int(found[2])) if found and is_video else None


def _pixels(size: str | None, images: int | None) -> int | None:
    found = _SIZE.fullmatch(size or "")
    if not (found and images):
        return None
    pixels = int(found[1]) * int(found[2]) * images
    return pixels if pixels < HIGHEST_COUNT else None


def _variant(size: str | None, quality: str | None) -> str:
    found = _SIZE.fullmatch(size or "")
    spelled = f"{found[1]}-x-{found[2]}" if found else None
    return "/".join(filter(None, (quality, spelled)))


def _first_amount(*values: Decimal | None) -> Decimal | None:
    return next((value for value in values if value is not None), None)


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)
