"""Whatever the provider reports: meters are disjoint, sum to its total, and price additively."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from anchor_autopatch.job.meters import read_meters
from anchor_autopatch.job.meters.record import TOKEN_METERS

COUNTS = st.integers(min_value=0, max_value=10_000_000)


@st.composite
def openai_usage(draw):
    prompt, completion = draw(COUNTS), draw(COUNTS)
    cached = draw(st.integers(0, prompt))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": cached,
            "cache_write_tokens": draw(st.integers(0, prompt - cached)),
            # May overlap what the cache served.
            "audio_tokens": draw(st.integers(0, prompt)),
        },
        "completion_tokens_details": {"reasoning_tokens": draw(st.integers(0, completion))},
    }


@st.composite
def gemini_usage(draw):
    prompt, answer, thoughts, tool = draw(COUNTS), draw(COUNTS), draw(COUNTS), draw(COUNTS)
    return {
        "promptTokenCount": prompt,
        "cachedContentTokenCount": draw(st.integers(0, prompt)),
        "candidatesTokenCount": answer,
        "thoughtsTokenCount": thoughts,
        "toolUsePromptTokenCount": tool,
        "totalTokenCount": prompt + answer + thoughts + tool,
        "promptTokensDetails": [
            {"modality": "IMAGE", "tokenCount": draw(st.integers(0, prompt))},
        ],
    }


@st.composite
def anything(draw):
    names = (
        "prompt_tokens",
        "completion_tokens",
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "promptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
    )
    values = st.one_of(COUNTS, st.none(), st.integers(), st.just("7"), st.booleans())
    usage = draw(st.dictionaries(st.sampled_from(names), values))
    details = st.dictionaries(st.sampled_from(("cached_tokens", "audio_tokens")), values)
    return usage | {"prompt_tokens_details": draw(details)}


def total(meters):
    return sum(getattr(meters, name) for name in (*TOKEN_METERS, "unbilled_tokens"))


@given(openai_usage())
def test_openai_meters_sum_to_the_provider_total(usage):
    assert total(read_meters("openai.chat", usage, {})) == usage["total_tokens"]


@given(gemini_usage(), st.booleans())
def test_gemini_meters_sum_to_the_provider_total(usage, grounded):
    facts = {"searches": 1} if grounded else {}

    meters = read_meters("gemini.generate_content", usage, facts)

    assert total(meters) == usage["totalTokenCount"]


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_anthropic_meters_sum_to_what_it_lists(plain, read, written, made):
    usage = {
        "input_tokens": plain,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "output_tokens": made,
    }

    assert total(read_meters("anthropic.messages", usage, {})) == plain + read + written + made


@given(
    anything(), st.sampled_from(("openai.chat", "anthropic.messages", "gemini.generate_content"))
)
def test_no_usage_makes_a_negative_meter(usage, shape):
    meters = read_meters(shape, usage, {})

    assert all(getattr(meters, name) >= 0 for name in TOKEN_METERS)
