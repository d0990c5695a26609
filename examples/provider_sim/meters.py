"""Usage on the wire -> what the provider meters for its invoice (disjoint counts by meter name)."""

from __future__ import annotations

from examples.provider_sim.values import Json

Meters = dict[str, int]


def _counts(**meters: int | None) -> Meters:
    return {meter: count for meter, count in meters.items() if count}


def _details(usage: Json, key: str) -> Json:
    value = usage.get(key)
    return value if isinstance(value, dict) else {}


def openai_tokens(usage: Json) -> Meters:
    """Meters of chat, legacy completions, responses and embeddings; details are parts of totals."""
    read = usage.get("prompt_tokens", usage.get("input_tokens")) or 0
    made = usage.get("completion_tokens", usage.get("output_tokens")) or 0
    parts = _details(usage, "prompt_tokens_details") or _details(usage, "input_tokens_details")
    audio_out = _details(usage, "completion_tokens_details").get("audio_tokens") or 0
    cached, written = parts.get("cached_tokens") or 0, parts.get("cache_write_tokens") or 0
    # Cached and audio tokens may overlap: the cached ones are counted first, as they are priced.
    audio = min(parts.get("audio_tokens") or 0, max(0, read - cached - written))
    return _counts(
        input=max(0, read - cached - written - audio),
        cached_input=cached,
        cache_write=written,
        audio_input=audio,
        output=made - audio_out,
        audio_output=audio_out,
    )


def openai_image(usage: Json) -> Meters:
    """Meters of an image model that reports tokens (`input_tokens_details` partition the input)."""
    if "images" in usage:
        return _counts(images=usage["images"])
    parts = _details(usage, "input_tokens_details")
    return _counts(
        text_input=parts.get("text_tokens", usage.get("input_tokens")),
        image_input=parts.get("image_tokens"),
        image_output=usage.get("output_tokens"),
    )


def openai_speech(usage: Json) -> Meters:
    """Meters of a speech model that counts tokens: text in, audio out."""
    return _counts(text_input=usage.get("input_tokens"), audio_output=usage.get("output_tokens"))


def openai_audio(usage: Json) -> Meters:
    """Meters of transcription and older speech models: seconds, characters or tokens."""
    if usage.get("type") == "duration":
        return _counts(seconds=round(usage.get("seconds") or 0))
    if "characters" in usage:
        return _counts(characters=usage["characters"])
    parts = _details(usage, "input_token_details")
    return _counts(
        audio_input=parts.get("audio_tokens"),
        text_input=parts.get("text_tokens", usage.get("input_tokens")),
        output=usage.get("output_tokens"),
    )


def openai_realtime(usage: Json) -> Meters:
    """Meters of a realtime response: what the cache served is told by modality."""
    parts = _details(usage, "input_token_details")
    cached = _details(parts, "cached_tokens_details")
    made = _details(usage, "output_token_details")
    read = {
        name: (parts.get(f"{name}_tokens") or 0) - (cached.get(f"{name}_tokens") or 0)
        for name in ("text", "audio", "image")
    }
    return _counts(
        input=read["text"],
        audio_input=read["audio"],
        image_input=read["image"],
        cached_input=cached.get("text_tokens"),
        cached_audio_input=cached.get("audio_tokens"),
        output=made.get("text_tokens"),
        audio_output=made.get("audio_tokens"),
    )


def anthropic(usage: Json) -> Meters:
    """Meters of messages, by the token types of the cost report; every count is additive."""
    written = _details(usage, "cache_creation")
    hour = written.get("ephemeral_1h_input_tokens") or 0
    five = written.get("ephemeral_5m_input_tokens")
    # Older answers have the sum alone; what is not an hour's is the five minutes'.
    if five is None or not (five or hour):
        five = (usage.get("cache_creation_input_tokens") or 0) - hour
    meters = {
        "uncached_input_tokens": usage.get("input_tokens"),
        "cache_creation.ephemeral_5m_input_tokens": five,
        "cache_creation.ephemeral_1h_input_tokens": hour,
        "cache_read_input_tokens": usage.get("cache_read_input_tokens"),
        "output_tokens": usage.get("output_tokens"),
        "web_search_requests": _details(usage, "server_tool_use").get("web_search_requests"),
    }
    return _counts(**meters)


def gemini(usage: Json) -> Meters:
    """Meters of generateContent and embeddings; cached is part of the prompt, thoughts are not."""
    if "images" in usage:
        return _counts(images=usage["images"])
    meters = _modalities(usage.get("promptTokensDetails"), "input", usage.get("promptTokenCount"))
    cached = _modalities(
        usage.get("cacheTokensDetails"), "cached", usage.get("cachedContentTokenCount")
    )
    for name, count in cached.items():
        whole = name.replace("cached", "input", 1)
        meters[whole] = max(0, meters.get(whole, 0) - count)
    meters |= cached | _modalities(
        usage.get("candidatesTokensDetails"), "output", usage.get("candidatesTokenCount")
    )
    return _counts(
        **meters,
        input_tool_use=usage.get("toolUsePromptTokenCount"),
        output_thinking=usage.get("thoughtsTokenCount"),
    )


def gemini_live(usage: Json) -> Meters:
    """Meters of a live turn, whose output goes by another name."""
    named = {
        "candidatesTokenCount": usage.get("responseTokenCount"),
        "candidatesTokensDetails": usage.get("responseTokensDetails"),
    }
    return gemini({**usage, **named})


def _modalities(details: object, prefix: str, total: int | None) -> Meters:
    counts: Meters = {}
    for part in details if isinstance(details, list) else []:
        name = f"{prefix}_{str(part.get('modality', 'TEXT')).lower()}"
        counts[name] = counts.get(name, 0) + (part.get("tokenCount") or 0)
    # Details may be missing or cover a part only; the rest is text.
    rest = (total or 0) - sum(counts.values())
    if rest:
        counts[f"{prefix}_text"] = counts.get(f"{prefix}_text", 0) + rest
    return counts
