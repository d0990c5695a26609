"""Who invoices a call: the table of known provider hosts, and the operator's own map over it.

Names are LiteLLM's provider names. Sources of the hosts: the default base URLs of the SDKs and of
LiteLLM 1.109.1 (read 2026-11).
"""

from __future__ import annotations

from typing import NamedTuple

from anchor_autopatch.core.errors import ConfigError

UNMAPPED = "unmapped"
SDK = "sdk"
BY_MODEL = "by-model"

KNOWN_HOSTS = {
    "api.openai.com": "openai",
    "us.api.openai.com": "openai",
    "eu.api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gemini",
    "aiplatform.googleapis.com": "vertex_ai",
    "api.x.ai": "xai",
    "us-east-1.api.x.ai": "xai",
    "eu-west-1.api.x.ai": "xai",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "codestral.mistral.ai": "codestral",
    "api.deepseek.com": "deepseek",
    "openrouter.ai": "openrouter",
    "api.together.xyz": "together_ai",
    "api.together.ai": "together_ai",
    "api.fireworks.ai": "fireworks_ai",
    "api.perplexity.ai": "perplexity",
    "api.cohere.com": "cohere",
    "api.cohere.ai": "cohere",
    "api.deepinfra.com": "deepinfra",
    "api.cerebras.ai": "cerebras",
    "api.sambanova.ai": "sambanova",
    "api.hyperbolic.xyz": "hyperbolic",
    "api.novita.ai": "novita",
    "api.moonshot.ai": "moonshot",
    "api.ai21.com": "ai21",
    "integrate.api.nvidia.com": "nvidia_nim",
    "dashscope.aliyuncs.com": "dashscope",
    "dashscope-intl.aliyuncs.com": "dashscope",
    "models.github.ai": "github",
    "ai-gateway.vercel.sh": "vercel_ai_gateway",
}

# Suffix -> provider, for hosts with a resource, region or workspace in front.
KNOWN_SUFFIXES = (
    (".openai.azure.com", "azure"),
    (".cognitiveservices.azure.com", "azure"),
    (".services.ai.azure.com", "azure_ai"),
    (".models.ai.azure.com", "azure_ai"),
    (".inference.ai.azure.com", "azure_ai"),
    ("-aiplatform.googleapis.com", "vertex_ai"),
    (".amazonaws.com", "bedrock"),
    (".api.aws", "bedrock"),
    (".cloud.databricks.com", "databricks"),
    (".azuredatabricks.net", "databricks"),
)

# Start of a model name -> provider; only for hosts that the operator mapped `by-model` (gateways).
_MODEL_STARTS = (
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("text-embedding-", "openai"),
    ("dall-e", "openai"),
    ("whisper", "openai"),
    ("tts-", "openai"),
    ("ft:", "openai"),
    ("claude", "anthropic"),
    ("gemini", "gemini"),
    ("imagen", "gemini"),
    ("veo", "gemini"),
    ("grok", "xai"),
    ("mistral", "mistral"),
    ("codestral", "mistral"),
    ("ministral", "mistral"),
    ("deepseek", "deepseek"),
    ("command", "cohere"),
)


class HostMap(NamedTuple):
    """What the operator said: host[:port] -> provider name, `sdk` or `by-model`."""

    entries: dict[str, str]

    def find(self, host: str) -> str | None:
        """The entry for host:port, else for the host alone, else None."""
        return self.entries.get(host) or self.entries.get(_without_port(host))


def parse_host_map(text: str) -> HostMap:
    """Reads ANCHOR_PROVIDER_HOSTS: `host[:port]=provider,...`.

    Raises:
        ConfigError: an entry has no `=`, no host or no provider.
    """
    entries = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        host, found, provider = entry.rpartition("=")
        if not (found and host.strip() and provider.strip()):
            raise ConfigError(
                f"Cannot read {entry!r} in ANCHOR_PROVIDER_HOSTS; expected host[:port]=provider"
            )
        entries[host.strip().lower()] = provider.strip()
    return HostMap(entries)


def known_provider(host: str) -> str | None:
    """The provider that a public host belongs to, None when it is not in the table."""
    name = _without_port(host)
    found = KNOWN_HOSTS.get(name)
    if found is not None:
        return found
    return next((provider for suffix, provider in KNOWN_SUFFIXES if name.endswith(suffix)), None)


def provider_of_model(model: str | None) -> str:
    """Derives the provider from a gateway's model name.

    `anthropic/claude-x`, else the name's start.
    """
    if not model:
        return UNMAPPED
    prefix, slash, _ = model.partition("/")
    if slash:
        return prefix
    return next((name for start, name in _MODEL_STARTS if model.startswith(start)), UNMAPPED)


def _without_port(host: str) -> str:
    # An IPv6 literal keeps its brackets: [::1]:8080
    if host.endswith("]"):
        return host
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
