"""Which requests to a provider host cost money: a table of URL paths, in the providers' dialects.

Sources: the API references of OpenAI, Anthropic, Gemini and Vertex AI, Amazon Bedrock Runtime,
Cohere and Mistral (read 2026-11), and the paths that their SDKs use.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote


class Billed(NamedTuple):
    """What a path says of the call."""

    operation: str
    dialect: str
    """Whose wire format it is, a key of `PROVIDERS`."""
    model: str | None = None
    """From the path, where it names one."""
    stream: bool = False
    """True where the path alone asks for a stream."""


PROVIDERS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "bedrock": "bedrock",
    "cohere": "cohere",
    "mistral": "mistral",
    "interactions": "gemini",
}
"""Dialect -> who invoices on a host that is mapped as `sdk`."""

_ENDINGS = {
    "chat/completions": ("chat", "openai"),
    "agents/completions": ("chat", "openai"),
    "fim/completions": ("text_completion", "openai"),
    "completions": ("text_completion", "openai"),
    "responses": ("responses", "openai"),
    "responses/compact": ("responses", "openai"),
    "embeddings": ("embeddings", "openai"),
    "images/generations": ("image_generation", "openai"),
    "images/edits": ("image_generation", "openai"),
    "images/variations": ("image_generation", "openai"),
    "audio/speech": ("speech", "openai"),
    "audio/transcriptions": ("transcription", "openai"),
    "audio/translations": ("transcription", "openai"),
    "v1/messages": ("chat", "anthropic"),
    "v1/complete": ("text_completion", "anthropic"),
    "v1/chat": ("chat", "cohere"),
    "v2/chat": ("chat", "cohere"),
    "v1/generate": ("text_completion", "cohere"),
    "v1/embed": ("embeddings", "cohere"),
    "v2/embed": ("embeddings", "cohere"),
    "v1/rerank": ("rerank", "cohere"),
    "v2/rerank": ("rerank", "cohere"),
    "v1/classify": ("classification", "cohere"),
    "v1/ocr": ("ocr", "mistral"),
    "interactions": ("interactions", "interactions"),
}
_GEMINI_VERBS = {
    "generateContent": "generate_content",
    "streamGenerateContent": "generate_content",
    "embedContent": "embeddings",
    "batchEmbedContents": "embeddings",
    "asyncBatchEmbedContent": "embeddings",
    "predict": "image_generation",
}
_BEDROCK_VERBS = {
    "converse": ("chat", False),
    "converse-stream": ("chat", True),
    "invoke": ("invoke_model", False),
    "invoke-with-response-stream": ("invoke_model", True),
}
_BEDROCK_PARTS = 3  # model, its id, the verb


def billed(method: str, url: str) -> Billed | None:
    """What a request is, by its method and path; None for what costs nothing or nobody knows."""
    if method.upper() != "POST":
        return None
    _, found, rest = url.partition("://")
    path = (rest.partition("/")[2] if found else url).partition("?")[0].partition("#")[0]
    parts = path.strip("/").split("/")
    model, colon, verb = parts[-1].partition(":")
    if colon:
        return _google(parts, unquote(model), verb)
    if len(parts) >= _BEDROCK_PARTS and parts[-3] == "model" and parts[-1] in _BEDROCK_VERBS:
        operation, stream = _BEDROCK_VERBS[parts[-1]]
        return Billed(operation, "bedrock", unquote(parts[-2]), stream)
    ending = _ENDINGS.get("/".join(parts[-2:])) or _ENDINGS.get(parts[-1])
    return Billed(*ending, _deployment(parts)) if ending else None


def _google(parts: list[str], model: str, verb: str) -> Billed | None:
    if verb in ("rawPredict", "streamRawPredict") and "anthropic" in parts:
        return Billed("chat", "anthropic", model, verb == "streamRawPredict")
    operation = _GEMINI_VERBS.get(verb)
    # An endpoint of one's own is billed by the hour, not by the call.
    if operation is None or (verb == "predict" and parts[-2:-1] != ["models"]):
        return None
    return Billed(operation, "gemini", model, verb == "streamGenerateContent")


def _deployment(parts: list[str]) -> str | None:
    """Azure: /openai/deployments/{name}/chat/completions."""
    if "deployments" not in parts:
        return None
    after = parts.index("deployments") + 1
    return unquote(parts[after]) if after < len(parts) else None
