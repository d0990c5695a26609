"""Recorded exchanges of real providers as cases: their usage, in the shape that hosts record."""

from __future__ import annotations

from datetime import datetime

from tests.conformance.corpus import exchanges
from tests.parity.cases import Case

_NOON = datetime.fromisoformat("2026-11-03T12:00")
_SHAPES = {
    "chat": "openai.chat",
    "completion": "openai.chat",
    "embedding": "openai.chat",
    "responses": "openai.responses",
    "responses_retrieve": "openai.responses",
    "responses_compact": "openai.responses",
    "messages": "anthropic.messages",
    "generate_content": "gemini.generate_content",
    "converse": "bedrock.converse",
    "chat_native": "cohere.billed_units",
}
_PROVIDERS = {"vertex": "vertex_ai", "together": "together_ai"}
# Who stands in where the list has no such model: the usage is what is compared.
_STAND_INS = {
    "xai": ("xai", "grok-4.3"),
    "openai.chat": ("openai", "gpt-4o"),
    "openai.responses": ("openai", "gpt-4o"),
    "anthropic.messages": ("anthropic", "claude-sonnet-4-5"),
    "gemini.generate_content": ("gemini", "gemini-2.5-flash"),
    "bedrock.converse": ("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    "cohere.billed_units": ("cohere", "command-r-08-2024"),
}


def recorded_cases(table):
    """A case for each recorded answer whose usage LiteLLM has a function for."""
    found = []
    for exchange in exchanges():
        shape = _shape(exchange)
        if shape:
            usage = _merged(exchange["usage_first"], exchange["usage"])
            stand_in = _STAND_INS.get(exchange["provider"], _STAND_INS[shape])
            provider, model = _listed(exchange, table) or stand_in
            found.append(Case("recorded", model, provider, shape, usage, {}, None, _NOON))
    return found


def _shape(exchange):
    if exchange["error"] or not isinstance(exchange["usage"], dict):
        return None
    shape = _SHAPES.get(exchange["endpoint_kind"])
    counts = ("prompt_tokens", "total_tokens", "input_tokens")
    if shape == "openai.chat" and not any(exchange["usage"].get(name) for name in counts):
        return None
    is_cohere = exchange["provider"] == "cohere"
    return shape if is_cohere == (shape == "cohere.billed_units") else None


def _merged(first, last):
    """What a stream told in all: later figures replace earlier ones, unless they are null."""
    return {**(first or {}), **{name: value for name, value in last.items() if value is not None}}


def _listed(exchange, table):
    provider = _PROVIDERS.get(exchange["provider"], exchange["provider"])
    model = (exchange["model"] or "").rstrip(":").removeprefix("models/")
    for key in (f"{provider}/{model}", model):
        if table.get(key, {}).get("litellm_provider") == provider:
            return provider, model
    return None
