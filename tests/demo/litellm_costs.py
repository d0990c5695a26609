"""Prices calls with LiteLLM's own functions: JSON calls on stdin, USD as JSON numbers on stdout."""

from __future__ import annotations

import json
import sys
from typing import Any

import litellm
from litellm.llms.anthropic.chat.transformation import AnthropicConfig
from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import VertexGeminiConfig
from litellm.types.utils import Usage


def _usage(provider: str, raw: dict[str, Any]) -> Usage:
    """The provider's usage object as LiteLLM reads it."""
    if provider == "anthropic":
        return AnthropicConfig().calculate_usage(raw, reasoning_content=None)
    if provider == "gemini":
        return VertexGeminiConfig._calculate_usage({"usageMetadata": raw})
    return Usage(**raw)


def _cost(call: dict[str, Any]) -> float:
    prompt, completion = litellm.cost_per_token(
        model=call["model"],
        custom_llm_provider=call["provider"],
        usage_object=_usage(call["provider"], call["usage"]),
        call_type="embedding" if call["operation"] == "embeddings" else "completion",
    )
    return prompt + completion


json.dump([_cost(call) for call in json.load(sys.stdin)], sys.stdout)
