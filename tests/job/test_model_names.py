"""Invoices and receipts spell models differently and mean the same ones."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from anchor_autopatch.job.allocation.model_names import same_models
from anchor_autopatch.job.invoices.meters import COVERED_METERS, meter_of


@pytest.mark.parametrize(
    ("line_model", "receipt_models", "meant"),
    [
        ("gpt-4o-2024-08-06", ["gpt-4o-2024-08-06", "gpt-4o"], ["gpt-4o-2024-08-06"]),
        ("gpt-4o", ["gpt-4o-2024-08-06", "gpt-4o-2024-11-20", "gpt-4o-mini"], None),
        ("gpt-4o-2024-08-06", ["gpt-4o"], ["gpt-4o"]),
        ("gpt-4o-2024-08-06", ["gpt-4o-2024-11-20"], []),
        ("Gemini 2.5 Flash", ["models/gemini-2.5-flash"], ["models/gemini-2.5-flash"]),
        ("Claude Sonnet 4.5", ["claude-sonnet-4-5-20250929"], ["claude-sonnet-4-5-20250929"]),
        ("claude-haiku-4-5", ["us.anthropic.claude-haiku-4-5-20251001-v1:0"], None),
        ("gpt-4.1", ["openai/gpt-4.1", "gpt-4"], ["openai/gpt-4.1"]),
        ("gemini-1.5-pro", ["gemini-1.5-pro-002", "gemini-1.5-flash"], ["gemini-1.5-pro-002"]),
        ("gpt-4o", ["gpt-4o-mini", "gpt-4"], []),
        ("gpt-4o", [""], []),
    ],
)
def test_a_line_means_the_models_of_its_name(line_model, receipt_models, meant):
    expected = [m for m in receipt_models if "mini" not in m] if meant is None else meant

    assert same_models(line_model, receipt_models) == expected


@pytest.mark.parametrize(
    ("words", "meter"),
    [
        ("Input", "input"),
        ("cached input", "cache_read"),
        ("uncached_input_tokens", "input"),
        ("cache_creation.ephemeral_1h_input_tokens", "cache_write_1h"),
        ("output_reasoning_tokens", "reasoning"),
        ("web search tool calls", "web_search"),
        ("", None),
        ("moonlight", None),
    ],
)
def test_words_of_an_invoice_name_a_meter(words, meter):
    assert meter_of(words) == meter


def test_every_meter_of_a_receipt_can_be_named_by_a_line():
    schema = files("anchor_autopatch.job.sql").joinpath("schema/20_rates.sql").read_text("utf-8")
    meters = set(re.findall(r"usage_entry(?:_seconds)?\('(\w+)'", schema))

    assert meters - {meter for covered in COVERED_METERS.values() for meter in covered} == set()
