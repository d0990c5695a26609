"""The record that readers of usage fill: disjoint meters, and what selects their rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal


class Meters(NamedTuple):
    """Quantities of one receipt; None = nobody said (never a guess), 0 = said to be none.

    The token meters are disjoint: those named input_* and cache_* sum to what the model read, those
    named output_* to what it produced, and both with `unbilled_tokens` to the provider's total.
    """

    input_tokens: int | None = None
    """Text that no cache served or stored."""
    input_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    input_video_tokens: int | None = None
    input_tool_tokens: int | None = None
    """Read again by the model for its own tools, where the provider counts that apart (Gemini)."""
    cache_read_tokens: int | None = None
    cache_read_audio_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_30m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    cache_write_12h_tokens: int | None = None
    cache_write_tokens: int | None = None
    """Written for a time that the provider does not tell."""
    output_tokens: int | None = None
    """Text."""
    output_reasoning_tokens: int | None = None
    output_audio_tokens: int | None = None
    output_image_tokens: int | None = None
    output_video_tokens: int | None = None
    unbilled_tokens: int | None = None
    """Counted by the provider and not billed."""
    images: int | None = None
    """Generated."""
    pixels: int | None = None
    """Of all generated images together."""
    input_images: int | None = None
    audio_in_ms: int | None = None
    audio_out_ms: int | None = None
    video_ms: int | None = None
    characters: int | None = None
    pages: int | None = None
    searches: int | None = None
    map_queries: int | None = None
    file_searches: int | None = None
    queries: int | None = None
    """Rerank or search units."""
    sessions: int | None = None
    """Code interpreter sessions."""
    prompt_tokens: int | None = None
    """All input together: what context brackets are chosen by."""
    total_tokens: int | None = None
    """All token meters together."""
    provider_total_tokens: int | None = None
    """What the provider said the total is."""
    usage_mismatch: bool = False
    """The provider's own figures do not add up, or could not be read."""
    tier: str = "standard"
    """Served service tier: standard, batch, flex, priority, ... as the rate card names them."""
    speed: str | None = None
    inference_geo: str | None = None
    region: str | None = None
    search_context: str | None = None
    """Search context size: low, medium or high."""
    image_variant: str = ""
    """What a rate card keeps under a key of its own: quality/size of images that report no tokens,
    as cards spell it (`hd/1024-x-1792`), or `high-res` for a video."""
    provider_cost_usd: Decimal | None = None
    """What the provider itself said the call costs."""
    video_resolution: str | None = None
    """480p, 720p, 1080p, 2k, 4k: some videos are dearer the more lines they have."""
    served_model: str | None = None
    """What is priced instead of the model that the answer names."""
    rare_meters: dict[str, int] | None = None
    """Further quantities, by the name of their meter; see `rare`."""
    estimated_meters: str | None = None
    """Token meters that nobody told, estimated from the length of the texts: `a, b`; None: none."""


INPUT_METERS = Meters._fields[:12]
OUTPUT_METERS = Meters._fields[12:17]
TOKEN_METERS = (*INPUT_METERS, *OUTPUT_METERS)


class TokenCount(NamedTuple):
    """What a reader found in a usage object: meter -> tokens, and the provider's own total."""

    tokens: Mapping[str, int]
    provider_total: int | None
    consistent: bool
    """False when parts had to be cut to fit their whole."""


def fill(count: TokenCount) -> Meters:
    """The token meters of a usage object; those that it does not mention are 0."""
    names = (*TOKEN_METERS, "unbilled_tokens")
    full: dict[str, Any] = {name: count.tokens.get(name, 0) for name in names}
    total: int = sum(full.values())
    agrees = count.provider_total in (None, total)
    return Meters(
        **full,
        prompt_tokens=sum(full[name] for name in INPUT_METERS),
        total_tokens=total,
        provider_total_tokens=count.provider_total,
        usage_mismatch=not (count.consistent and agrees),
    )
