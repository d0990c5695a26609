"""What the simulated providers count and charge, so that the bills are worth splitting.

Each simulated call reports the usage of hundreds of real ones. Gemini's numbers are chosen so that
every line of its invoice is a whole number of cents: 105.00 as agreed, 100.00 with credits.
"""

from __future__ import annotations

from examples.provider_sim.client import Simulator

CHAT_MODEL, IMAGE_MODEL = "gemini-2.5-flash", "gemini-2.5-flash-image"
CONTRACT = {
    CHAT_MODEL: {"input": "0.25/1M", "output": "2.00/1M"},
    IMAGE_MODEL: {"input": "0.25/1M", "image-token": "25.00/1M"},
}
"""What was agreed with Gemini, in the words of `anchor prices set`; USD."""

_GEMINI_CHARGES = {
    CHAT_MODEL: {"input_text": "0.25", "output_text": "2.00"},
    IMAGE_MODEL: {"input_text": "0.25", "output_image": "25.00"},
}
_ANTHROPIC_CHARGES = {
    "claude-opus-4-5*": {
        "uncached_input_tokens": "5",
        "cache_creation.ephemeral_5m_input_tokens": "6.25",
        "cache_read_input_tokens": "0.5",
        "output_tokens": "25",
    }
}
_USAGE = {
    # 12 chats at 0.07 + 1.33, 14 pictures at 0.03 + 6.27
    CHAT_MODEL: {"promptTokenCount": 280_000, "candidatesTokenCount": 665_000},
    IMAGE_MODEL: {"promptTokenCount": 120_000, "candidatesTokenCount": 250_800},
    "claude-opus-4-5": {"input_tokens": 110_000, "output_tokens": 52_000},
    "claude-haiku-4-5": {
        "input_tokens": 400_000,
        "cache_creation_input_tokens": 100_000,
        "cache_read_input_tokens": 600_000,
        "output_tokens": 80_000,
    },
    "claude-sonnet-4-5": {"input_tokens": 90_000, "output_tokens": 33_000},
    "text-embedding-3-small": {"prompt_tokens": 5_000_000},
    "gpt-4o": {
        "prompt_tokens": 1_800_000,
        "completion_tokens": 160_000,
        "prompt_tokens_details": {"cached_tokens": 600_000},
    },
    "gpt-4o-mini": {"prompt_tokens": 2_000_000, "completion_tokens": 240_000},
}
ATTEMPTS = 3
"""Requests that the SDK of the summariser sends before it gives up: one, and two retries."""


def prepare(simulator: Simulator) -> None:
    """Sets prices and usage, and lets one model refuse the first call that is made to it."""
    simulator.prices({"gemini": _GEMINI_CHARGES, "anthropic": _ANTHROPIC_CHARGES})
    simulator.script(model="claude-opus-4-5", fail="overloaded", times=ATTEMPTS)
    for model, usage in _USAGE.items():
        simulator.script(model=model, usage=usage, times=None)
