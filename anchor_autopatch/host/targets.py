"""The table of what is patched.

Module that triggers it, from which version, by which of our modules.

Read at start-up, so it holds plain tuples and imports nothing.
"""

from __future__ import annotations


class Target:
    """One SDK.

    Its trigger module, the module of ours that patches it, the oldest version that works.
    """

    __slots__ = ("distribution", "minimum", "name", "patcher", "tested", "trigger")

    def __init__(
        self, name: str, trigger: str, patcher: str, distribution: str, minimum: str, tested: str
    ) -> None:
        self.name = name
        self.trigger = trigger
        self.patcher = patcher
        self.distribution = distribution
        self.minimum = minimum
        self.tested = tested


_PROVIDERS = "anchor_autopatch.host.providers."

# The trigger is the module whose end of execution makes the choke point patchable: everything that
# it needs is imported by then, and no client exists yet.
TARGETS = (
    Target("openai", "openai._base_client", _PROVIDERS + "openai", "openai", "1.30", "3.54"),
    Target(
        "anthropic", "anthropic._base_client", _PROVIDERS + "anthropic", "anthropic", "0.75", "2.12"
    ),
    Target(
        "google-genai",
        "google.genai._api_client",
        _PROVIDERS + "google_genai",
        "google-genai",
        "1.10",
        "3.4",
    ),
    Target("litellm", "litellm.utils", _PROVIDERS + "litellm", "litellm", "1.70", "1.109"),
    Target("xai-sdk", "xai_sdk.sync.client", _PROVIDERS + "xai_sdk", "xai-sdk", "1.0", "1.21"),
)
