"""What clouds call AI services, models and meters: free text, read by patterns.

What no pattern knows is None: the line lands all the same and matches on a coarser level.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from anchor_autopatch.core.hosts import KNOWN_PROVIDERS

__all__ = ("Sku", "azure_sku", "bedrock_sku", "google_sku", "provider_of_service")

# Service names of bills (2026-11) -> provider in LiteLLM's names; the first that is found counts.
_SERVICES = (
    (r"gemini api|generative language", "gemini"),
    (r"vertex ai|agent platform", "vertex_ai"),
    (r"bedrock", "bedrock"),
    (r"azure openai|cognitive services|microsoft foundry|foundry models|azure ai ", "azure"),
)


class Sku(NamedTuple):
    """What a line is for; None where its text does not say."""

    model: str | None = None
    meter: str | None = None
    tier: str | None = None
    region: str | None = None


def provider_of_service(name: str) -> str | None:
    """Who invoices a service of this name; None for what is no AI service."""
    lowered = name.lower()
    for pattern, provider in _SERVICES:
        if re.search(pattern, lowered):
            return provider
    squashed = re.sub(r"[^a-z0-9]+", "_", lowered).strip("_")
    return squashed if squashed in KNOWN_PROVIDERS else None


_GOOGLE_MODEL = re.compile(
    r"(gemini \d+(\.\d+)?( (pro|flash|lite|ultra|nano|image|live|preview|native audio))*"
    r"|(imagen|veo|gemma|lyria) ?\d+(\.\d+)?( (ultra|fast|lite))?"
    r"|claude [a-z0-9. ]+?(?= (input|output|cache|batch)))"
)
_GOOGLE_METERS = (
    (r"google search|web search|search grounding", "web_search"),
    (r"maps", "maps_query"),
    (r"storage", None),
    (r"cache write|cache creation", "cache_write"),
    (r"cached?.*audio|audio.*cached?", "cache_read_audio"),
    (r"cached?\b|caching", "cache_read"),
    (r"audio.*input|input.*audio", "input_audio"),
    (r"video.*input|input.*video", "input_video"),
    (r"image.*input|input.*image", "input_image"),
    (r"audio.*output|output.*audio", "output_audio"),
    (r"video.*output|output.*video", "output_video"),
    (r"image.*output|output.*image", "output_image"),
    (r"input", "input"),
    (r"output|thinking", "output"),
)
_TIER = re.compile(r"\b(batch|flex|priority)\b")


def google_sku(description: str) -> Sku:
    """Of a SKU such as `Generate content input token count gemini 2.5 flash short input text`."""
    text = re.sub(r"[_-]+", " ", description.lower())
    model = _GOOGLE_MODEL.search(text)
    rest = text.replace(model[0], " ") if model else text
    meter = next((name for pattern, name in _GOOGLE_METERS if re.search(pattern, rest)), None)
    tier = _TIER.search(rest)
    return Sku(model[0] if model else None, meter, tier[1] if tier else None)


_BEDROCK = re.compile(
    r"^(?P<region>[A-Z]{2,4}\d?(?=-))?-?(?P<model>.+?)-(?:mantle-)?"
    r"(?P<meter>cache-(?:read|write)(?:-1h|-5m)?-input-token-count"
    r"|(?:text-|image-|audio-|video-)?(?:input|output)-token(?:s|-count))(?P<rest>.*)$"
)
# Region code of a usage type (AWS billing documentation, read 2026-11); others keep the code.
_AWS_REGIONS = {
    "USE1": "us-east-1",
    "USE2": "us-east-2",
    "USW1": "us-west-1",
    "USW2": "us-west-2",
    "EU": "eu-west-1",
    "EUW1": "eu-west-1",
    "EUW2": "eu-west-2",
    "EUW3": "eu-west-3",
    "EUC1": "eu-central-1",
    "EUN1": "eu-north-1",
    "APN1": "ap-northeast-1",
    "APS1": "ap-southeast-1",
    "APS2": "ap-southeast-2",
    "APS3": "ap-south-1",
    "CAN1": "ca-central-1",
    "SAE1": "sa-east-1",
}


def bedrock_sku(usage_type: str) -> Sku:
    """Of a usage type such as `USE1-claude-sonnet-4-5-cache-read-input-token-count`."""
    found = _BEDROCK.match(usage_type)
    if found is None:
        return Sku()
    words = found["meter"]
    kind = next((kind for kind in ("image", "audio", "video") if words.startswith(kind)), None)
    if words.startswith("cache-read"):
        meter = "cache_read"
    elif words.startswith("cache-write"):
        ttl = next((ttl for ttl in ("1h", "5m") if ttl in words), None)
        meter = f"cache_write_{ttl}" if ttl else "cache_write"
    else:
        way = "input" if "input" in words else "output"
        meter = f"{way}_{kind}" if kind else way
    tier = _TIER.search(found["rest"].replace("-", " "))
    region = _AWS_REGIONS.get(found["region"] or "", found["region"])
    return Sku(found["model"], meter, tier[1] if tier else None, region)


_AZURE = re.compile(
    r"^(?P<model>.+?)[ -]"
    r"(?P<words>(?:(?:batch|cached|cachd|cchd|cd|text|txt|audio|aud|image|img)[ -])*"
    r"(?:inp|input|in|outp|output|opt|out)\b.*)$"
)


def azure_sku(meter_name: str) -> Sku:
    """Of a meter name such as `gpt 5 Inp Data Zone Tokens` or `gpt-4o 0806 Batch cchd Inp glbl`."""
    found = _AZURE.match(meter_name.lower())
    if found is None:
        return Sku()
    words = found["words"]
    way = "output" if re.search(r"\b(outp|output|opt|out)\b", words) else "input"
    if re.search(r"\b(cached|cachd|cchd|cd)\b", words):
        meter = "cache_read"
    elif re.search(r"\b(aud|audio)\b", words):
        meter = f"{way}_audio"
    elif re.search(r"\b(img|image)\b", words):
        meter = f"{way}_image"
    else:
        meter = way
    zone = next(
        (name for pattern, name in _AZURE_ZONES if re.search(pattern, words)),
        None,
    )
    return Sku(found["model"], meter, "batch" if "batch" in words else None, zone)


# Data Zone costs 10 to 20 % over Global, so the zone is kept, as the region of the line.
_AZURE_ZONES = (
    (r"data zone|dz\b|dzone", "data zone"),
    (r"glbl|global", "global"),
    (r"regnl|regional", "regional"),
)
