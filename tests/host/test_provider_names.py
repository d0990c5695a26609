"""The names of the host table are those of LiteLLM, by which rates are found."""

from __future__ import annotations

import importlib.metadata
import json

import pytest

from anchor_autopatch.core.provider_hosts import KNOWN_PROVIDERS

# LiteLLM 1.109.1 has no name for them, and 1.106.2 none for the new one.
_NO_NAME = {"aleph_alpha", "avian", "writer"}
_NEW = {"bigmodel"}


def litellms_names():
    """Its enum of providers, its list of OpenAI-compatible ones, the owners of its prices."""
    try:
        root = importlib.metadata.distribution("litellm").locate_file("litellm")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("litellm is not in this environment")
    enum = (root / "types" / "utils.py").read_text("utf-8").partition("class LlmProviders")[2]
    compatible = (root / "llms" / "openai_like" / "providers.json").read_text("utf-8")
    prices = (root / "model_prices_and_context_window_backup.json").read_text("utf-8")
    return (
        {
            line.split('"')[1]
            for line in enum.splitlines()
            if line.strip().endswith('"') and "=" in line
        }
        | set(json.loads(compatible))
        | {entry.get("litellm_provider") for entry in json.loads(prices).values()}
    )


def test_every_provider_has_litellms_name():
    assert KNOWN_PROVIDERS - litellms_names() - _NEW == _NO_NAME
