"""The rates that a contract can name, as they are typed: what each prices, and in which field."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from anchor_autopatch.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("TERMS", "TERM_OF_METER", "fields_of", "parse_rate")

# Term as typed -> (field of the rate card, what one unit is).
TERMS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "input": ("input_cost_per_token", "token"),
        "output": ("output_cost_per_token", "token"),
        "cache_read": ("cache_read_input_token_cost", "token"),
        "cache_write": ("cache_creation_input_token_cost", "token"),
        "cache_write_1h": ("cache_creation_input_token_cost_above_1hr", "token"),
        "reasoning": ("output_cost_per_reasoning_token", "token"),
        "audio_input": ("input_cost_per_audio_token", "token"),
        "audio_output": ("output_cost_per_audio_token", "token"),
        "image_token": ("output_cost_per_image_token", "token"),
        "image": ("output_cost_per_image", "image"),
        "input_image": ("input_cost_per_image", "image shown to the model"),
        "second": ("input_cost_per_second", "second of audio heard"),
        "speech_second": ("output_cost_per_second", "second of audio spoken"),
        "video_second": ("output_cost_per_video_per_second", "second of video made"),
        "character": ("input_cost_per_character", "character"),
        "page": ("ocr_cost_per_page", "page"),
        "query": ("input_cost_per_query", "query"),
        "search": ("search_context_cost_per_query", "web search"),
        "map_query": ("google_maps_grounding_cost_per_query", "query of a map"),
        "file_search": ("file_search_cost_per_1k_calls", "file search"),
        "session": ("code_interpreter_cost_per_session", "code interpreter session"),
        "training": ("training_cost_per_token", "token"),
        "cache_storage": ("cache_storage_cost_per_token_hour", "token and hour"),
    }
)
# Meter -> the term that prices it; several meters fall back to one term.
TERM_OF_METER: Final[Mapping[str, str]] = MappingProxyType(
    {
        "input_tokens": "input",
        "input_tool_tokens": "input",
        "input_image_tokens": "input",
        "input_video_tokens": "input",
        "input_audio_tokens": "audio_input",
        "cache_read_tokens": "cache_read",
        "cache_write_tokens": "cache_write",
        "cache_write_5m_tokens": "cache_write",
        "cache_write_1h_tokens": "cache_write_1h",
        "output_tokens": "output",
        "output_reasoning_tokens": "output",
        "output_audio_tokens": "audio_output",
        "output_image_tokens": "image_token",
        "images": "image",
        "input_images": "input_image",
        "audio_in_seconds": "second",
        "audio_out_seconds": "speech_second",
        "video_seconds": "video_second",
        "characters": "character",
        "pages": "page",
        "queries": "query",
        "searches": "search",
        "map_queries": "map_query",
        "file_searches": "file_search",
        "sessions": "session",
        "training_tokens": "training",
        "cache_storage_token_seconds": "cache_storage",
    }
)
_RATE = re.compile(r"\s*\$?\s*(\d+(?:\.\d+)?|\.\d+)\s*(?:/\s*(\d*)\s*([kKmM]?))?\s*")
_SCALE: Final = MappingProxyType({"": 1, "k": 1_000, "m": 1_000_000})
_HIGHEST = Decimal(100)
# Lists bill seconds by what kind of model it is, so a contract on them says the kind.
_MODES: Final = MappingProxyType(
    {
        "second": "audio_transcription",
        "speech_second": "audio_speech",
        "video_second": "video_generation",
    }
)
_SEARCH_SIZES = ("low", "medium", "high")
_THOUSAND = 1000
# 10,000 USD a million: nothing in LiteLLM's table (2026-11) reaches it. Providers write prices of a
# million, and a bare `2.50` would make the estimate a million times too large.
_HIGHEST_OF_A_TOKEN = Decimal("0.01")


def fields_of(rates: Mapping[str, str]) -> dict[str, object]:
    """The fields of a rate card for terms as typed.

    Raises:
        ConfigError: a rate cannot be read, or two of them hold for different kinds of models.
    """
    kinds = [term for term in rates if term in _MODES]
    if len(kinds) > 1:
        flags = " and ".join(f"--{term.replace('_', '-')}" for term in kinds)
        raise ConfigError(f"{flags} are of different kinds of models; name one of them")
    fields = {TERMS[term][0]: _value(term, text) for term, text in rates.items()}
    # A rate per second without a kind has always meant audio heard; contracts keep their digests.
    if kinds and kinds != ["second"]:
        fields["mode"] = _MODES[kinds[0]]
    return fields


def _value(term: str, text: str) -> object:
    usd = _rate(text, TERMS[term][1])
    if term == "search":
        # A contract states one rate, whatever context was asked for.
        return {f"search_context_size_{size}": usd for size in _SEARCH_SIZES}
    return usd * _THOUSAND if term == "file_search" else usd


def parse_rate(text: str) -> Decimal:
    """USD per unit from `2.50/1M`, `10/1k`, `0.04`.

    Raises:
        ConfigError: the text is no such rate, or is 100 USD per unit or more.
    """
    match = _RATE.fullmatch(text)
    units = int(match[2] or 1) * _SCALE[(match[3] or "").lower()] if match else 0
    try:
        value = Decimal(match[1]) / units if match and units else None
    except InvalidOperation:
        value = None
    if value is None:
        raise ConfigError(f"Cannot read {text!r} as a rate in USD; write 2.50/1M or 0.04")
    if value >= _HIGHEST:
        raise ConfigError(f"{text!r} is 100 USD or more per unit; did you mean {text}/1M?")
    return value


def _rate(text: str, unit: str) -> Decimal:
    value = parse_rate(text)
    if unit.startswith("token") and value >= _HIGHEST_OF_A_TOKEN:
        raise ConfigError(f"{text!r} is {value:f} USD for one token; did you mean {text}/1M?")
    return value
