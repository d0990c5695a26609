"""Usage of sessions and of gRPC calls becomes disjoint meters, exact to the tick."""

from __future__ import annotations

from decimal import Decimal

import pytest

from anchor_autopatch.job.meters import read_meters
from anchor_autopatch.job.meters.record import TOKEN_METERS

SAMPLING = {
    "prompt_tokens": 120,
    "prompt_text_tokens": 100,
    "prompt_image_tokens": 20,
    "cached_prompt_text_tokens": 40,
    "completion_tokens": 30,
    "reasoning_tokens": 50,
    "total_tokens": 200,
}
REALTIME = {
    "input_tokens": 150,
    "input_token_details": {
        "text_tokens": 50,
        "audio_tokens": 90,
        "image_tokens": 10,
        "cached_tokens": 60,
        "cached_tokens_details": {"text_tokens": 20, "audio_tokens": 40},
    },
    "output_tokens": 70,
    "output_token_details": {"text_tokens": 20, "audio_tokens": 50},
    "total_tokens": 220,
}
TURN = {
    "promptTokenCount": 100,
    "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 40},
        {"modality": "AUDIO", "tokenCount": 60},
    ],
    "responseTokenCount": 30,
    "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 30}],
    "thoughtsTokenCount": 5,
    "totalTokenCount": 135,
}
CASES = {
    "xai: reasoning stands beside the completion": (
        "xai.sampling",
        SAMPLING,
        {
            "input_tokens": 60,
            "input_image_tokens": 20,
            "cache_read_tokens": 40,
            "output_tokens": 30,
            "output_reasoning_tokens": 50,
        },
    ),
    "xai: a total without room for reasoning contains it": (
        "xai.sampling",
        {**SAMPLING, "completion_tokens": 80, "total_tokens": 200},
        {
            "input_tokens": 60,
            "input_image_tokens": 20,
            "cache_read_tokens": 40,
            "output_tokens": 30,
            "output_reasoning_tokens": 50,
        },
    ),
    "openai realtime: cached audio is no uncached audio": (
        "openai.realtime",
        REALTIME,
        {
            "input_tokens": 30,
            "input_audio_tokens": 50,
            "input_image_tokens": 10,
            "cache_read_tokens": 20,
            "cache_read_audio_tokens": 40,
            "output_tokens": 20,
            "output_audio_tokens": 50,
        },
    ),
    "gemini live: a turn counts its response": (
        "gemini.generate_content",
        TURN,
        {
            "input_tokens": 40,
            "input_audio_tokens": 60,
            "output_reasoning_tokens": 5,
            "output_audio_tokens": 30,
        },
    ),
}


@pytest.mark.parametrize(("shape", "usage", "expected"), CASES.values(), ids=CASES)
def test_usage_becomes_disjoint_meters(shape, usage, expected):
    meters = read_meters(shape, usage, {})

    found = {name: value for name in TOKEN_METERS if (value := getattr(meters, name))}
    assert (found, meters.usage_mismatch) == (expected, False)


def test_total_that_fits_neither_reading_is_flagged():
    assert read_meters("xai.sampling", {**SAMPLING, "total_tokens": 170}, {}).usage_mismatch


def test_cost_in_ticks_is_exact():
    usage = {**SAMPLING, "cost_in_usd_ticks": 12_345_678_901}

    assert read_meters("xai.sampling", usage, {}).provider_cost_usd == Decimal("1.2345678901")


def test_tools_are_counted_by_invocation():
    names = ("WEB_SEARCH", "WEB_SEARCH", "X_SEARCH", "CODE_EXECUTION", "COLLECTIONS_SEARCH")
    usage = {**SAMPLING, "server_side_tools_used": [f"SERVER_SIDE_TOOL_{name}" for name in names]}

    meters = read_meters("xai.sampling", usage, {})

    assert (meters.searches, meters.file_searches) == (3, 1)


def test_picture_without_tokens_keeps_its_count_and_cost():
    meters = read_meters("xai.sampling", {"cost_in_usd_ticks": 700_000_000}, {"images": 2})

    assert (meters.images, meters.provider_cost_usd) == (2, Decimal("0.07"))


def test_live_session_bills_seconds_and_no_token():
    meters = read_meters("openai.realtime", {"seconds": Decimal("12.5")}, {})

    assert (meters.audio_in_ms, meters.total_tokens) == (12_500, None)


def test_trained_tokens_are_no_tokens_that_a_model_read():
    meters = read_meters("openai.fine_tuning", {"trained_tokens": 12_000}, {})

    assert (meters.total_tokens, meters.usage_mismatch) == (None, False)
