"""A small price list of our own: enough to bill with, not a copy of anybody's prices.

Amounts are USD per 1,000,000 for meters that count tokens, per unit for the others (UNIT_METERS).
Models are matched by glob, the longest pattern wins. `POST /_sim/prices` overlays this list.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fnmatch import fnmatchcase

from examples.provider_sim.values import Json, SimulationError

UNIT_METERS: dict[str, str] = {
    "images": "images",
    "characters": "characters",
    "seconds": "seconds",
    "web_search_requests": "searches",
    "sessions": "sessions",
}
TIER_FACTORS: dict[str, Decimal] = {
    "flex": Decimal("0.5"),
    "batch": Decimal("0.5"),
    "priority": Decimal(2),
}

_MILLION = Decimal(1_000_000)
_PriceTable = dict[str, dict[str, dict[str, Decimal]]]

# provider, model pattern, meter, price
_TEXT = """
openai     *                       input                                     1
openai     *                       cached_input                              0.25
openai     *                       cache_write                               1.25
openai     *                       output                                    4
openai     *                       audio_input                               8
openai     *                       cached_audio_input                        0.4
openai     *                       audio_output                              16
openai     *                       text_input                                2
openai     *                       image_input                               4
openai     *                       image_output                              16
openai     *                       images                                    0.04
openai     *                       characters                                0.00001
openai     *                       seconds                                   0.0001
openai     gpt-4o*                 input                                     2.5
openai     gpt-4o*                 cached_input                              1.25
openai     gpt-4o*                 output                                    10
openai     gpt-4o-mini*            input                                     0.15
openai     gpt-4o-mini*            cached_input                              0.075
openai     gpt-4o-mini*            output                                    0.6
openai     gpt-5*                  input                                     1.25
openai     gpt-5*                  cached_input                              0.125
openai     gpt-5*                  output                                    10
openai     gpt-5-mini*             input                                     0.25
openai     gpt-5-mini*             cached_input                              0.025
openai     gpt-5-mini*             output                                    2
openai     text-embedding-3-small* input                                     0.02
openai     gpt-image-1*            text_input                                5
openai     gpt-image-1*            image_input                               10
openai     gpt-image-1*            image_output                              40
anthropic  *                       uncached_input_tokens                     3
anthropic  *                       cache_creation.ephemeral_5m_input_tokens  3.75
anthropic  *                       cache_creation.ephemeral_1h_input_tokens  6
anthropic  *                       cache_read_input_tokens                   0.3
anthropic  *                       output_tokens                             15
anthropic  *                       web_search_requests                       0.01
anthropic  claude-haiku-4-5*       uncached_input_tokens                     1
anthropic  claude-haiku-4-5*       cache_creation.ephemeral_5m_input_tokens  1.25
anthropic  claude-haiku-4-5*       cache_creation.ephemeral_1h_input_tokens  2
anthropic  claude-haiku-4-5*       cache_read_input_tokens                   0.1
anthropic  claude-haiku-4-5*       output_tokens                             5
gemini     *                       input_text                                0.3
gemini     *                       input_audio                               1
gemini     *                       input_image                               0.3
gemini     *                       input_video                               0.3
gemini     *                       input_tool_use                            0.3
gemini     *                       cached_text                               0.03
gemini     *                       cached_audio                              0.1
gemini     *                       cached_image                              0.03
gemini     *                       cached_video                              0.03
gemini     *                       output_text                               2.5
gemini     *                       output_thinking                           2.5
gemini     *                       output_image                              30
gemini     *                       output_audio                              10
gemini     *                       images                                    0.04
gemini     gemini-2.5-pro*         input_text                                1.25
gemini     gemini-2.5-pro*         output_text                               10
gemini     gemini-2.5-pro*         output_thinking                           10
gemini     gemini-embedding*       input_text                                0.15
"""


def _listed() -> _PriceTable:
    table: _PriceTable = {}
    for line in _TEXT.split("\n"):
        if line:
            provider, model, meter, price = line.split()
            table.setdefault(provider, {}).setdefault(model, {})[meter] = Decimal(price)
    return table


# Who else may stand behind a port speaks one of the three wires and has its prices.
_LIKE = {"azure": "openai", "vertex_ai": "gemini"}


class PriceError(SimulationError):
    """A price list that cannot be used."""


class PriceList:
    """Rates by provider, model pattern and meter."""

    def __init__(self) -> None:
        self._table: _PriceTable = _listed()

    def overlay(self, wanted: Json) -> None:
        """Put {provider: {model glob: {meter: price}}} over the list.

        Raises:
            PriceError: when a price is no decimal number; the list is then unchanged.
        """
        for provider, models in _decimals(wanted).items():
            ours = self._table.setdefault(provider, {})
            for model, rates in models.items():
                ours[model] = {**ours.get(model, {}), **rates}

    def rate(self, provider: str, model: str, meter: str) -> Decimal:
        """Return USD per single token or unit; 0 when the list has no such meter."""
        price = self._price(provider, model, meter)
        return price if meter in UNIT_METERS else price / _MILLION

    def _price(self, provider: str, model: str, meter: str) -> Decimal:
        models = self._table.get(provider) or self._table.get(_LIKE.get(provider, "openai"), {})
        for pattern in sorted(models, key=len, reverse=True):
            if meter in models[pattern] and fnmatchcase(model, pattern):
                return models[pattern][meter]
        return Decimal(0)

    def amounts(
        self, provider: str, model: str, meters: Mapping[str, int], tier: str | None
    ) -> dict[str, Decimal]:
        """Return exact USD by meter for one request."""
        factor = TIER_FACTORS.get(tier or "", Decimal(1))
        return {
            meter: self.rate(provider, model, meter) * count * factor
            for meter, count in meters.items()
        }

    def rows(self) -> Json:
        """Return the list with its prices as text."""
        return {
            provider: {
                model: {meter: str(price) for meter, price in rates.items()}
                for model, rates in models.items()
            }
            for provider, models in self._table.items()
        }


def _decimals(table: Mapping[str, Mapping[str, Mapping[str, object]]]) -> _PriceTable:
    try:
        return {
            provider: {
                model: {meter: Decimal(str(p)) for meter, p in rates.items()}
                for model, rates in models.items()
            }
            for provider, models in table.items()
        }
    except (ArithmeticError, AttributeError) as error:
        raise PriceError(
            "Expected {provider: {model: {meter: price}}} with decimal prices"
        ) from error
