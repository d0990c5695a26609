"""Raw usage of every shape becomes disjoint meters; what does not add up is flagged."""

from __future__ import annotations

from decimal import Decimal

import pytest

from anchor_autopatch.core.records import USAGE_SHAPES
from anchor_autopatch.job.meters import Meters, read_meters
from anchor_autopatch.job.meters.record import INPUT_METERS, TOKEN_METERS


def nonzero(meters):
    """Token meters that are not 0."""
    return {name: getattr(meters, name) for name in TOKEN_METERS if getattr(meters, name)}


CASES = {
    "openai chat: cached, audio and reasoning are parts of totals": (
        "openai.chat",
        {
            "prompt_tokens": 1000,
            "completion_tokens": 300,
            "total_tokens": 1300,
            "prompt_tokens_details": {"cached_tokens": 400, "audio_tokens": 100},
            "completion_tokens_details": {"reasoning_tokens": 200, "audio_tokens": 50},
        },
        {
            "input_tokens": 500,
            "input_audio_tokens": 100,
            "cache_read_tokens": 400,
            "output_tokens": 50,
            "output_reasoning_tokens": 200,
            "output_audio_tokens": 50,
        },
    ),
    "openai chat: what the cache served is not billed as audio again": (
        "openai.chat",
        {
            "prompt_tokens": 100,
            "completion_tokens": 0,
            "prompt_tokens_details": {"cached_tokens": 80, "audio_tokens": 60},
        },
        {"input_audio_tokens": 20, "cache_read_tokens": 80},
    ),
    "openai realtime: cached audio is told apart": (
        "openai.realtime",
        {
            "input_tokens": 100,
            "output_tokens": 0,
            "input_token_details": {
                "audio_tokens": 60,
                "cached_tokens": 50,
                "cached_tokens_details": {"audio_tokens": 40},
            },
        },
        {
            "input_tokens": 30,
            "input_audio_tokens": 20,
            "cache_read_tokens": 10,
            "cache_read_audio_tokens": 40,
        },
    ),
    "xai: reasoning beside the completion, as the total tells": (
        "openai.chat",
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 150,
            "completion_tokens_details": {"reasoning_tokens": 30},
        },
        {"input_tokens": 100, "output_tokens": 20, "output_reasoning_tokens": 30},
    ),
    "deepseek: cache hits beside the total": (
        "openai.chat",
        {"prompt_tokens": 100, "completion_tokens": 5, "prompt_cache_hit_tokens": 70},
        {"input_tokens": 30, "cache_read_tokens": 70, "output_tokens": 5},
    ),
    "openai responses: cache writes by lifetime": (
        "openai.responses",
        {
            "input_tokens": 1000,
            "output_tokens": 10,
            "total_tokens": 1010,
            "input_tokens_details": {
                "cached_tokens": 100,
                "cache_write_tokens": 600,
                "cache_write_tokens_details": {"ttl_30m_tokens": 500, "ttl_12h_tokens": 100},
            },
        },
        {
            "input_tokens": 300,
            "cache_read_tokens": 100,
            "cache_write_30m_tokens": 500,
            "cache_write_12h_tokens": 100,
            "output_tokens": 10,
        },
    ),
    "openai images: output is image unless itemised": (
        "openai.images",
        {
            "input_tokens": 50,
            "output_tokens": 1056,
            "total_tokens": 1106,
            "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
        },
        {"input_tokens": 10, "input_image_tokens": 40, "output_image_tokens": 1056},
    ),
    "openai transcription by tokens": (
        "openai.transcription",
        {
            "type": "tokens",
            "input_tokens": 14,
            "output_tokens": 45,
            "total_tokens": 59,
            "input_token_details": {"audio_tokens": 14, "text_tokens": 0},
        },
        {"input_audio_tokens": 14, "output_tokens": 45},
    ),
    "anthropic: caches come on top of the input": (
        "anthropic.messages",
        {
            "input_tokens": 10,
            "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 30,
            "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
            "output_tokens": 50,
            "output_tokens_details": {"thinking_tokens": 20},
        },
        {
            "input_tokens": 10,
            "cache_read_tokens": 100,
            "cache_write_5m_tokens": 10,
            "cache_write_1h_tokens": 20,
            "output_tokens": 30,
            "output_reasoning_tokens": 20,
        },
    ),
    "anthropic: writes without a breakdown last five minutes": (
        "anthropic.messages",
        {"input_tokens": 1, "cache_creation_input_tokens": 30, "output_tokens": 2},
        {"input_tokens": 1, "cache_write_5m_tokens": 30, "output_tokens": 2},
    ),
    "anthropic: compaction is billed on top": (
        "anthropic.messages",
        {
            "input_tokens": 10,
            "output_tokens": 5,
            "iterations": [
                {"type": "message", "input_tokens": 10, "output_tokens": 5},
                {"type": "compaction", "input_tokens": 100, "output_tokens": 7},
            ],
        },
        {"input_tokens": 110, "output_tokens": 12},
    ),
    "gemini: thoughts and tools come on top, images are told apart": (
        "gemini.generate_content",
        {
            "promptTokenCount": 100,
            "candidatesTokenCount": 1300,
            "thoughtsTokenCount": 40,
            "toolUsePromptTokenCount": 7,
            "totalTokenCount": 1447,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 60},
                {"modality": "IMAGE", "tokenCount": 40},
            ],
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
        },
        {
            "input_tokens": 60,
            "input_image_tokens": 40,
            "input_tool_tokens": 7,
            "output_tokens": 10,
            "output_reasoning_tokens": 40,
            "output_image_tokens": 1290,
        },
    ),
    "gemini: a total without room for thoughts holds them": (
        "gemini.generate_content",
        {
            "promptTokenCount": 100,
            "candidatesTokenCount": 50,
            "thoughtsTokenCount": 40,
            "totalTokenCount": 150,
        },
        {"input_tokens": 100, "output_tokens": 10, "output_reasoning_tokens": 40},
    ),
    "gemini: cached by modality, names as the SDK dumps them": (
        "gemini.generate_content",
        {
            "prompt_token_count": 100,
            "cached_content_token_count": 60,
            "total_token_count": 100,
            "prompt_tokens_details": [{"modality": "AUDIO", "token_count": 70}],
            "cache_tokens_details": [{"modality": "AUDIO", "token_count": 50}],
        },
        {
            "input_tokens": 20,
            "input_audio_tokens": 20,
            "cache_read_tokens": 10,
            "cache_read_audio_tokens": 50,
        },
    ),
    "gemini embeddings": (
        "gemini.embeddings",
        {"promptTokenCount": 9, "totalTokenCount": 9},
        {"input_tokens": 9},
    ),
    "gemini embeddings on vertex: a count per text": (
        "gemini.embeddings",
        {"statistics": [{"token_count": 3}, {"token_count": 4}]},
        {"input_tokens": 7},
    ),
    "embeddings that state a total alone": (
        "openai.chat",
        {"total_tokens": 12},
        {"input_tokens": 12},
    ),
    "gemini interactions": (
        "gemini.interactions",
        {
            "total_input_tokens": 10,
            "total_cached_tokens": 4,
            "total_output_tokens": 5,
            "total_thought_tokens": 3,
            "total_tokens": 18,
        },
        {
            "input_tokens": 6,
            "cache_read_tokens": 4,
            "output_tokens": 5,
            "output_reasoning_tokens": 3,
        },
    ),
    "xai: a count of 0 is not sent": (
        "xai.sampling",
        {"prompt_text_tokens": 7, "reasoning_tokens": 2, "total_tokens": 9},
        {"input_tokens": 7, "output_reasoning_tokens": 2},
    ),
    "openai chat: an embedding of another host tells a total alone": (
        "openai.chat",
        {"total_tokens": 12},
        {"input_tokens": 12},
    ),
    "bedrock: cache is counted beside input": (
        "bedrock.converse",
        {
            "inputTokens": 3,
            "outputTokens": 227,
            "totalTokens": 1942,
            "cacheReadInputTokens": 0,
            "cacheWriteInputTokens": 1712,
            "cacheDetails": [{"ttl": "5m", "inputTokens": 1712}],
        },
        {"input_tokens": 3, "cache_write_5m_tokens": 1712, "output_tokens": 227},
    ),
    "bedrock: an invoked model's last chunk": (
        "bedrock.invoke",
        {
            "inputTokenCount": 4,
            "outputTokenCount": 10,
            "cacheReadInputTokenCount": 1209,
            "invocationLatency": 1410,
        },
        {"input_tokens": 4, "cache_read_tokens": 1209, "output_tokens": 10},
    ),
    "bedrock: an invoked model's headers": (
        "bedrock.invoke",
        {"x-amzn-bedrock-input-token-count": 7, "x-amzn-bedrock-output-token-count": 335},
        {"input_tokens": 7, "output_tokens": 335},
    ),
    "titan: each result has its tokens": (
        "bedrock.titan",
        {
            "inputTextTokenCount": Decimal("28.0"),
            "results": [{"tokenCount": Decimal("197.0")}, {"tokenCount": 3}],
        },
        {"input_tokens": 28, "output_tokens": 200},
    ),
    "llama": (
        "bedrock.llama",
        {"prompt_token_count": 10, "generation_token_count": 60},
        {"input_tokens": 10, "output_tokens": 60},
    ),
    "agent: the sum of its model calls": (
        "bedrock.agent",
        {
            "modelInvocations": [
                {"inputTokens": 100, "outputTokens": 5},
                {"inputTokens": 40, "outputTokens": 6},
            ]
        },
        {"input_tokens": 140, "output_tokens": 11},
    ),
    "guardrail: policy units are no tokens": ("bedrock.guardrail", {"topicPolicyUnits": 1}, {}),
    "openai: trained tokens are none of a model": ("openai.fine_tuning", {"trained_tokens": 9}, {}),
    "cohere: what is billed, not what was read": (
        "cohere.billed_units",
        {
            "billed_units": {"input_tokens": Decimal("5.0"), "output_tokens": 3},
            "tokens": {"input_tokens": 206, "output_tokens": 3},
            "cached_tokens": 112,
        },
        {"input_tokens": 5, "output_tokens": 3},
    ),
    "gemini: a prediction for each text": (
        "gemini.predictions",
        {"statistics": [{"token_count": 1, "truncated": False}, {"token_count": 2}]},
        {"input_tokens": 3},
    ),
    "gemini: a cache is read once": (
        "gemini.cached_content",
        {"totalTokenCount": 9602},
        {"input_tokens": 9602},
    ),
    "litellm: one write count under three names counts once": (
        "litellm.usage",
        {
            "prompt_tokens": 140,
            "completion_tokens": 50,
            "total_tokens": 190,
            "cache_creation_input_tokens": 30,
            "cache_read_input_tokens": 100,
            "prompt_tokens_details": {
                "cached_tokens": 100,
                "cache_write_tokens": 30,
                "cache_creation_tokens": 30,
                "cache_creation_token_details": {
                    "ephemeral_5m_input_tokens": 10,
                    "ephemeral_1h_input_tokens": 20,
                },
            },
        },
        {
            "input_tokens": 10,
            "cache_read_tokens": 100,
            "cache_write_5m_tokens": 10,
            "cache_write_1h_tokens": 20,
            "output_tokens": 50,
        },
    ),
}


@pytest.mark.parametrize(("shape", "usage", "expected"), CASES.values(), ids=CASES)
def test_usage_reads_as(shape, usage, expected):
    meters = read_meters(shape, usage, {})

    assert nonzero(meters) == expected
    assert not meters.usage_mismatch


def test_every_known_shape_has_a_case():
    assert {shape for shape, _, _ in CASES.values()} == set(USAGE_SHAPES)


@pytest.mark.parametrize(
    ("shape", "usage"),
    [
        ("openai.chat", {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 99}),
        ("openai.chat", {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 10}}),
        ("openai.chat", {"completion_tokens_details": {"reasoning_tokens": 4}}),
        (
            "anthropic.messages",
            {"input_tokens": 9, "iterations": [{"type": "advisor_message", "input_tokens": 3}]},
        ),
        (
            "anthropic.messages",
            {"cache_creation_input_tokens": 5, "cache_creation": {"ephemeral_5m_input_tokens": 9}},
        ),
        ("gemini.generate_content", {"promptTokenCount": 3, "totalTokenCount": 9}),
        ("from the future", {"prompt_tokens": 3}),
    ],
)
def test_figures_that_do_not_add_up_are_flagged(shape, usage):
    assert read_meters(shape, usage, {}).usage_mismatch


def test_lifetimes_told_before_apply_to_bedrock_counts():
    usage = {"inputTokenCount": 4, "outputTokenCount": 1, "cacheWriteInputTokenCount": 30}
    told = {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}

    meters = read_meters("bedrock.invoke", usage, {"cache_creation": told})

    assert (meters.cache_write_5m_tokens, meters.cache_write_1h_tokens) == (10, 20)
    assert not meters.usage_mismatch


def test_guardrail_units_leave_tokens_unknown():
    assert read_meters("bedrock.guardrail", {"topicPolicyUnits": 1}, {}).input_tokens is None


def test_rerank_is_billed_by_search_units():
    usage = {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}

    assert read_meters("cohere.billed_units", usage, {}).queries == 1


def test_missing_usage_is_unknown_not_zero():
    meters = read_meters(None, None, {})

    assert {getattr(meters, name) for name in TOKEN_METERS} == {None}
    assert not meters.usage_mismatch


def test_grounding_prompt_is_counted_and_not_billed():
    usage = {"promptTokenCount": 5, "toolUsePromptTokenCount": 90, "totalTokenCount": 95}

    meters = read_meters("gemini.generate_content", usage, {"searches": 2})

    assert (meters.unbilled_tokens, meters.prompt_tokens, meters.total_tokens) == (90, 5, 95)
    assert not meters.usage_mismatch


@pytest.mark.parametrize("bad", [-1, "7", 1.5, True, None, [], {}])
def test_what_is_no_count_reads_as_missing(bad):
    meters = read_meters("openai.chat", {"prompt_tokens": bad, "completion_tokens": 5}, {})

    assert nonzero(meters) == {"output_tokens": 5}


def test_prompt_is_all_input_together():
    usage = {"input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 30}

    meters = read_meters("anthropic.messages", usage, {})

    assert meters.prompt_tokens == sum(getattr(meters, name) for name in INPUT_METERS) == 140


FACTS = {
    "batch outranks the tier": ({"batch": True, "service_tier": "flex"}, {"tier": "batch"}),
    "fast is priority": ({"service_tier": "Fast"}, {"tier": "priority"}),
    "auto is standard": ({"service_tier": "auto"}, {"tier": "standard"}),
    "seconds are milliseconds": ({"seconds": Decimal("1.2345")}, {"audio_in_ms": 1235}),
    "a duration in text is seconds": ({"duration": "8.47"}, {"audio_in_ms": 8470}),
    "what is no duration is none": ({"duration": "soon"}, {"audio_in_ms": None}),
    "pixels of all images": (
        {"images": 2, "image_size": "1024x1536", "image_quality": "high"},
        {"images": 2, "pixels": 2 * 1024 * 1536, "image_variant": "high/1024-x-1536"},
    ),
    "size without images says nothing": ({"image_size": "1024x1024"}, {"pixels": None}),
    "cost in dollars": ({"cost": Decimal("0.5")}, {"provider_cost_usd": Decimal("0.5")}),
}


@pytest.mark.parametrize(("facts", "expected"), FACTS.values(), ids=FACTS)
def test_facts_read_as(facts, expected):
    meters = read_meters(None, None, facts)

    assert {name: getattr(meters, name) for name in expected} == expected


def test_xai_ticks_are_exact_dollars():
    usage = {"prompt_tokens": 1, "cost_in_usd_ticks": 123_456_789}

    meters = read_meters("openai.chat", usage, {})

    assert meters.provider_cost_usd == Decimal("0.0123456789")


def test_transcription_by_duration_has_seconds_and_no_tokens():
    usage = {"type": "duration", "seconds": 7}

    meters = read_meters("openai.transcription", usage, {})

    assert meters == Meters(audio_in_ms=7000)
