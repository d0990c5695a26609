"""Who invoices a call: the table of known provider hosts, and the operator's own map over it."""

from __future__ import annotations

import re
from typing import NamedTuple

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.provider_hosts import (
    KNOWN_HOSTS,
    KNOWN_PATTERNS,
    KNOWN_PROVIDERS,
    KNOWN_SUFFIXES,
    LOCAL_PORTS,
)

__all__ = (
    "BY_MODEL",
    "KNOWN_PROVIDERS",
    "SDK",
    "UNMAPPED",
    "HostMap",
    "is_local",
    "known_provider",
    "local_server",
    "parse_host_map",
    "provider_of_model",
)

UNMAPPED = "unmapped"
SDK = "sdk"
BY_MODEL = "by-model"

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
        # With its port first: two servers of one's own on one machine may belong to two providers.
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
    """The provider that host[:port] belongs to, None when it is not in the table."""
    name = _without_port(host)
    found = KNOWN_HOSTS.get(name)
    if found is not None:
        return found
    for suffix, provider in KNOWN_SUFFIXES:
        if name.endswith(suffix):
            return provider
    for pattern, provider in KNOWN_PATTERNS:
        if pattern.match(name):
            return provider
    return None


def local_server(host: str) -> str | None:
    """The model server of one's own that host:port is by its usual port; a map knows better."""
    name, _, port = host.rpartition(":")
    return LOCAL_PORTS.get(port) if is_local(name) else None


_PRIVATE = re.compile(
    r"(?:127|10|192\.168|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3})+|\[::1\]|\[f[cd][0-9a-f:]+\]"
)


def is_local(name: str) -> bool:
    """True for a host of this machine or network: loopback, RFC 1918, RFC 4193, a bare name."""
    return (
        ("." not in name and not name.startswith("["))
        or name.endswith((".local", ".internal", ".localhost"))
        or _PRIVATE.fullmatch(name) is not None
    )


def provider_of_model(model: str | None) -> str:
    """Derives the provider from a gateway's model name.

    `anthropic/claude-x` by its prefix, where that is a provider's name; else by the name's start,
    behind the prefix of who made the model (`google/gemini-x`, `meta-llama/Llama-x`).
    """
    if not model:
        return UNMAPPED
    prefix, slash, rest = model.partition("/")
    if slash and prefix in KNOWN_PROVIDERS:
        return prefix
    bare = rest if slash else model
    return next((name for start, name in _MODEL_STARTS if bare.startswith(start)), UNMAPPED)


def _without_port(host: str) -> str:
    # An IPv6 literal keeps its brackets: [::1]:8080
    if host.endswith("]"):
        return host
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
