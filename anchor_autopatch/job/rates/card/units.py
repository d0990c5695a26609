"""Rates of what is not a token: images, pixels, seconds, characters, pages, searches, sessions."""

from __future__ import annotations

import re
from decimal import Decimal

from anchor_autopatch.job.rates.card.fields import EMPTY, Entry, number
from anchor_autopatch.job.rates.card.tokens import Rate, Rates

_PER_MS = Decimal("0.001")
_HOUR = 3600
_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")
_IMAGE_MODES = frozenset(("image_generation", "image_edit"))
_TOKEN_FIELDS = (
    "input_cost_per_token",
    "output_cost_per_token",
    "input_cost_per_image_token",
    "output_cost_per_image_token",
)


def unit_rates(fields: Entry, *, batch: bool) -> Rates:
    """USD per unit, for every meter that is not a token; None where the model has no such rate."""
    suffixes = ("_batches", "") if batch else ("",)
    mode = fields.get("mode")
    search = fields.get("search_context_cost_per_query")
    by_size = search if isinstance(search, dict) else EMPTY
    per_image = _per_image(fields)
    return {
        "images": per_image,
        "pixels": None
        if per_image is not None
        else _first_of(fields, "input_cost_per_pixel", "output_cost_per_pixel"),
        "input_images": None
        if mode in _IMAGE_MODES
        else number(fields.get("input_cost_per_image")),
        "audio_in_ms": _audio_in(fields),
        "audio_out_ms": _per_ms(fields, "output_cost_per_second")
        if mode == "audio_speech"
        else None,
        "video_ms": _per_ms(fields, "output_cost_per_video_per_second", "output_cost_per_second")
        if mode == "video_generation"
        else None,
        "characters": number(fields.get("input_cost_per_character")),
        "pages": _first_of(fields, *(f"ocr_cost_per_page{suffix}" for suffix in suffixes)),
        **{
            f"searches_{size}": number(by_size.get(f"search_context_size_{size}"))
            for size in ("low", "medium", "high")
        },
        "map_queries": number(fields.get("google_maps_grounding_cost_per_query")),
        "file_searches": _scaled(number(fields.get("file_search_cost_per_1k_calls")), _PER_MS),
        "queries": number(fields.get("input_cost_per_query")),
        "sessions": number(fields.get("code_interpreter_cost_per_session")),
    }


def rare_rates(fields: Entry, *, batch: bool) -> dict[str, Decimal]:
    """USD per unit of the meters that few models have, by name."""
    pages = ("annotation_cost_per_page", "ocr_cost_per_page")
    suffixes = ("_batches", "") if batch else ("",)
    units = fields.get("guardrail_cost_per_unit")
    policies = units if isinstance(units, dict) else EMPTY
    stored = number(fields.get("cache_storage_cost_per_token_hour"))
    found = {
        **{f"guardrail_{snake_case(name)}": number(policies[name]) for name in policies},
        "citation_tokens": number(fields.get("citation_cost_per_token")),
        # Pages that are described, too; without a rate of their own that bills like reading them.
        "annotated_pages": _first_of(
            fields, *(f"{name}{end}" for name in pages for end in suffixes)
        ),
        **_by_resolution(fields),
        # No list has these two; a contract may.
        "training_tokens": number(fields.get("training_cost_per_token")),
        "cache_storage_token_seconds": None if stored is None else stored / _HOUR,
    }
    return {name: rate for name, rate in sorted(found.items()) if rate is not None}


def _by_resolution(fields: Entry) -> Rates:
    """Rates of a video's millisecond that hold for one resolution, such as `video_ms_1080p`."""
    prefix = "output_cost_per_second_"
    return {
        f"video_ms_{name.removeprefix(prefix).lower()}": _per_ms(fields, name)
        for name in fields
        if name.startswith(prefix)
    }


def snake_case(name: str) -> str:
    """`contentPolicyUnits` as `content_policy_units`."""
    return _CAPITAL.sub(r"_\1", name).lower()


def prices_tokens(fields: Entry) -> bool:
    """Whether calls that report tokens bill by token; units then bill only those that do not."""
    return any(fields.get(name) is not None for name in _TOKEN_FIELDS)


def _per_image(fields: Entry) -> Rate:
    if fields.get("mode") in _IMAGE_MODES and not str(fields.get("litellm_provider")).startswith(
        ("gemini", "vertex_ai")
    ):
        return _first_of(fields, "input_cost_per_image", "output_cost_per_image")
    return number(fields.get("output_cost_per_image"))


def _audio_in(fields: Entry) -> Rate:
    if fields.get("mode") not in ("audio_transcription", None):
        return None
    # Either name means seconds heard; a table that carries both carries one price twice.
    spoken = _per_ms(fields, "output_cost_per_second")
    return spoken or _per_ms(fields, "input_cost_per_second")


def _per_ms(fields: Entry, *names: str) -> Rate:
    return _scaled(_first_of(fields, *names), _PER_MS)


def _scaled(value: Rate, factor: Decimal) -> Rate:
    return None if value is None else value * factor


def _first_of(fields: Entry, *names: str) -> Rate:
    found = (number(fields.get(name)) for name in names)
    return next((value for value in found if value is not None), None)
