"""Which plays there are, and which of them this environment's SDKs can give."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.sdk.transparency.performing import Play

# Name -> module of the play, name in it, the SDK that it needs.
_PLAYS = {
    "openai": ("openai", "PLAY", "openai"),
    "openai-sessions": ("openai_sessions", "PLAY", "openai.resources.realtime"),
    "anthropic": ("anthropic", "PLAY", "anthropic"),
    "groq": ("groq", "PLAY", "groq"),
    "google": ("google", "PLAY", "google.genai"),
    "google-sessions": ("google_sessions", "PLAY", "google.genai"),
    "mistral": ("mistral", "PLAY", "mistralai.client"),
    "cohere": ("cohere", "PLAY", "cohere"),
    "bedrock": ("bedrock", "PLAY", "boto3"),
    "xai": ("xai", "PLAY", "xai_sdk"),
    "litellm-over-sdk": ("litellm", "OVER_SDK", "litellm"),
    "litellm-over-http": ("litellm", "OVER_HTTP", "litellm"),
    "httpx": ("raw_clients", "HTTPX", "httpx"),
    "httpx2": ("raw_clients", "HTTPX2", "httpx2"),
    "requests": ("raw_clients", "REQUESTS", "requests"),
    "urllib3": ("raw_clients", "URLLIB3", "urllib3"),
    "aiohttp": ("raw_clients", "AIOHTTP", "aiohttp"),
    "our-own": ("our_own", "PLAY", "anchor_autopatch"),
}


def load(name: str) -> Play:
    """The play of this name."""
    module, attribute, _ = _PLAYS[name]
    return getattr(importlib.import_module(f"tests.sdk.transparency.plays.{module}"), attribute)


def playable() -> list[str]:
    """The plays whose SDK is installed here."""
    return [name for name, (_, _, sdk) in _PLAYS.items() if _is_installed(sdk)]


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _parameters() -> Iterator[object]:
    here = playable()
    for name in _PLAYS:
        missing = pytest.mark.skip(reason=f"{_PLAYS[name][2]} is not in this SDK world")
        yield pytest.param(name, marks=() if name in here else missing)


every_play = pytest.mark.parametrize("name", list(_parameters()))
