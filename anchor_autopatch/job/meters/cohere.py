"""Cohere's usage: it bills `billed_units`; `tokens` beside them counts the prompt template too.

Source: ApiMetaBilledUnits and Usage of cohere 7.3.1, read 2026-11. Its numbers are floats.
"""

from __future__ import annotations

from anchor_autopatch.job.meters.fields import Json, count, part
from anchor_autopatch.job.meters.record import TokenCount


def read(usage: Json) -> TokenCount:
    """Chat, embeddings, rerank: tokens by what is billed; search units are no tokens."""
    billed = part(usage, "billed_units")
    tokens = {
        "input_tokens": count(billed, "input_tokens") or 0,
        "input_image_tokens": count(billed, "image_tokens") or 0,
        "output_tokens": count(billed, "output_tokens") or 0,
    }
    return TokenCount(tokens, None, bool(billed))


def units(usage: Json) -> Json:
    """What is billed by other units: search_units, pages, images, classifications."""
    return part(usage, "billed_units")
