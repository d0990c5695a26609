"""What is not billed by the token costs what LiteLLM's own functions say, too."""

from __future__ import annotations

import os
import warnings
from decimal import Decimal

import pytest

from anchor_autopatch.job.rates import sync_installed
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import NOW, add, cost, run

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def litellm():
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import litellm
    litellm.suppress_debug_info = True
    return litellm


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        sync_installed(con, NOW)
        yield con


def assert_equal(ours, theirs):
    assert abs(ours - Decimal(repr(theirs))) <= Decimal("1e-12")


def image_response(litellm, **usage):
    from litellm.types.utils import ImageObject, ImageResponse, ImageUsage

    data = [ImageObject(url="https://example.test/1.png")]
    return ImageResponse(data=data, usage=ImageUsage(**usage) if usage else None)


@pytest.mark.parametrize("model", ["gpt-image-1", "gpt-image-1-mini"])
def test_openai_images(con, litellm, model):
    usage = {
        "input_tokens": 60,
        "output_tokens": 1056,
        "total_tokens": 1116,
        "input_tokens_details": {"text_tokens": 20, "image_tokens": 40},
    }
    facts = {"images": 1, "image_size": "1024x1024", "image_quality": "medium"}
    add(con, request_model=model, usage=usage, usage_shape="openai.images", facts=facts)

    run(con)

    response = image_response(litellm, **usage)
    theirs = litellm.completion_cost(
        response, model=model, custom_llm_provider="openai", call_type="image_generation"
    )
    assert_equal(cost(con), theirs)


def test_gemini_images(con, litellm):
    from litellm.types.utils import (
        CompletionTokensDetailsWrapper,
        PromptTokensDetailsWrapper,
        Usage,
    )

    usage = {
        "promptTokenCount": 12,
        "candidatesTokenCount": 1300,
        "totalTokenCount": 1312,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 12}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
    }
    named = {"provider": "gemini", "request_model": "gemini-2.5-flash-image"}
    shape = "gemini.generate_content"
    add(con, usage=usage, usage_shape=shape, facts={"images": 1}, **named)

    run(con)

    details = CompletionTokensDetailsWrapper(image_tokens=1290, text_tokens=10)
    theirs = litellm.cost_per_token(
        model="gemini-2.5-flash-image",
        custom_llm_provider="gemini",
        usage_object=Usage(
            prompt_tokens=12,
            completion_tokens=1300,
            total_tokens=1312,
            prompt_tokens_details=PromptTokensDetailsWrapper(text_tokens=12),
            completion_tokens_details=details,
        ),
    )
    assert_equal(cost(con), sum(theirs))


@pytest.mark.parametrize("quality", ["standard", "hd"])
def test_images_priced_by_size_and_quality(con, litellm, quality):
    facts = {"images": 2, "image_size": "1024x1792", "image_quality": quality}
    add(con, provider="azure", request_model="dall-e-3", usage=None, facts=facts)

    run(con)

    theirs = litellm.cost_calculator.default_image_cost_calculator(
        model="dall-e-3", custom_llm_provider="azure", quality=quality, n=2, size="1024x1792"
    )
    assert_equal(cost(con), theirs)


@pytest.mark.parametrize("model", ["tts-1", "tts-1-hd"])
def test_speech_by_the_character(con, litellm, model):
    add(con, request_model=model, usage=None, facts={"characters": 1234})

    run(con)

    theirs = litellm.cost_per_token(
        model=model, custom_llm_provider="openai", call_type="speech", prompt_characters=1234
    )
    assert_equal(cost(con), sum(theirs))


def test_transcription_by_the_second(con, litellm):
    usage = {"type": "duration", "seconds": 93.5}
    add(con, request_model="whisper-1", usage=usage, usage_shape="openai.transcription")

    run(con)

    theirs = litellm.cost_per_token(
        model="whisper-1",
        custom_llm_provider="openai",
        call_type="transcription",
        audio_transcription_file_duration=93.5,
    )
    assert_equal(cost(con), sum(theirs))


@pytest.mark.parametrize(
    ("provider", "model", "shape", "usage"),
    [
        (
            "openai",
            "text-embedding-3-small",
            "openai.chat",
            {"prompt_tokens": 77, "total_tokens": 77},
        ),
        ("gemini", "gemini-embedding-001", "gemini.embeddings", {"promptTokenCount": 77}),
    ],
)
def test_embeddings(con, litellm, provider, model, shape, usage):
    add(con, provider=provider, request_model=model, usage=usage, usage_shape=shape)

    run(con)

    theirs = litellm.cost_per_token(
        model=model, custom_llm_provider=provider, prompt_tokens=77, call_type="embedding"
    )
    assert_equal(cost(con), sum(theirs))


def test_anthropic_searches(con, litellm):
    usage = {
        "input_tokens": 10,
        "output_tokens": 5,
        "server_tool_use": {"web_search_requests": 3},
    }
    named = {"provider": "anthropic", "request_model": "claude-sonnet-4-5"}
    add(con, usage=usage, usage_shape="anthropic.messages", **named)
    add(
        con,
        "r2",
        usage={**usage, "server_tool_use": None},
        usage_shape="anthropic.messages",
        **named,
    )

    run(con)

    info = litellm.get_model_info("claude-sonnet-4-5", "anthropic")
    each = info["search_context_cost_per_query"]["search_context_size_medium"]
    assert_equal(cost(con) - cost(con, "r2"), each * 3)
