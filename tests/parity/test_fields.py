"""Every cost field of the installed price list moves a rate, or is named here with why not."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from anchor_autopatch.job.rates.card import build_sheet
from anchor_autopatch.job.rates.card.fields import cost_fields
from anchor_autopatch.job.rates.source import read_installed

# Field, as a pattern -> why no rate of ours comes from it.
UNREAD = {
    "litellm_provider|mode|web_search_billing_unit": "texts that say which rules hold, no prices",
    ".*_decisions": "one model's rates for decisions; LiteLLM 1.106 does not read them either",
    ".*dbu_cost_per_token": "the same price in units of Databricks, beside the one in USD",
    "input_cost_per_token_cache_hit": "cache_read_input_token_cost by another name",
    "explicit_cache_read_input_token_cost": "answers do not say whether a cache was asked for",
    "cache_creation_input_audio_token_cost": "answers do not say how much of a write was audio",
    "cache_read_input_image_token_cost": "cached images bill as cached text, as LiteLLM has it",
    "cost_per_second": "time of reserved hardware, which runs whether it is called or not",
    "input_cost_per_request": "four models that are no longer offered",
    "input_cost_per_text_message": "answers of a voice session do not count messages",
    "ocr_cost_per_credit": "answers of this provider leave no receipt",
    "input_cost_per_(audio|video)_per_second.*": "no answer says how long its input was",
    "input_cost_per_(image|character)_above_128k_tokens": "0 for two free models",
    "output_cost_per_character.*": "two withdrawn models; free ones else",
    "output_cost_per_image_[0-9.]+K?": "fal_ai's sizes: its answers leave no receipt",
    "output_cost_per_pixel": "0, or beside a price per image, which LiteLLM takes first",
}


def rates_of(entry):
    sheet = build_sheet(entry)
    rows = [(row.tier, row.modifier, row.off_peak, row.above_tokens) for row in sheet.rows]
    return rows, [(row.rates, row.rare) for row in sheet.rows], sheet.off_peak_minutes


def doubled(value):
    """The published value with every number in it doubled, and moved by a little."""
    if isinstance(value, dict):
        return {name: doubled(part) for name, part in value.items()}
    if isinstance(value, list):
        return [doubled(part) for part in value]
    is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    return value * 2 + Decimal("1e-9") if is_number else value


def moves(entry, field):
    return rates_of(entry) != rates_of({**entry, field: doubled(entry[field])})


def is_named(field):
    return any(re.fullmatch(name, field) for name in UNREAD)


@pytest.fixture(scope="module")
def holders():
    """Field -> entries of the list that have it."""
    found = {}
    for entry in read_installed().models.values():
        if not str(entry.get("litellm_provider", "one of")).startswith("one of"):
            for field in cost_fields(entry):
                found.setdefault(field, []).append(entry)
    return found


def test_every_field_moves_a_rate_or_is_named(holders):
    unread = {
        field
        for field, entries in holders.items()
        if not any(moves(entry, field) for entry in entries[:40])
    }

    assert {field for field in unread if not is_named(field)} == set()
    assert [name for name in UNREAD if not any(re.fullmatch(name, field) for field in unread)] == []
