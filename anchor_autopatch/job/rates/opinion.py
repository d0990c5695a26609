"""What genai-prices says of a model: a second list, kept by other people, with start dates.

LiteLLM's table says what a price is, never since when. genai-prices dates its changes, so it can
say when a change began that the table showed weeks later. It is never a source of prices: two
lists that are mixed cannot be told apart afterwards.

Read from the data inside the installed package; nothing is fetched. Its API and data as of 0.2.3
(`genai_prices.types`, `genai_prices.data`), read 2026-11.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from anchor_autopatch.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from genai_prices.types import ModelInfo, Provider

__all__ = (
    "PIP_LINE",
    "SOURCE",
    "KnownModel",
    "Rule",
    "SecondOpinion",
    "is_installed",
    "read_opinion",
    "step_at",
)

SOURCE: Final = "genai-prices"
PIP_LINE: Final = "pip install 'anchor-autopatch[job,second-opinion]'"
_THOUSAND: Final = 1_000
_MILLION: Final = 1_000_000
# Name of a price there -> (column of `rate` without _usd, units that the price is of). Hours of
# audio are left out: a rate per millisecond is no finite decimal of them.
_METERS: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {
        "input_mtok": ("input_tokens", _MILLION),
        "output_mtok": ("output_tokens", _MILLION),
        "cache_read_mtok": ("cache_read_tokens", _MILLION),
        "cache_write_mtok": ("cache_write_tokens", _MILLION),
        "cache_write_5m_mtok": ("cache_write_5m_tokens", _MILLION),
        "cache_write_1h_mtok": ("cache_write_1h_tokens", _MILLION),
        "cache_audio_read_mtok": ("cache_read_audio_tokens", _MILLION),
        "input_audio_mtok": ("input_audio_tokens", _MILLION),
        "input_image_mtok": ("input_image_tokens", _MILLION),
        "input_video_mtok": ("input_video_tokens", _MILLION),
        "output_audio_mtok": ("output_audio_tokens", _MILLION),
        "output_image_mtok": ("output_image_tokens", _MILLION),
        "output_video_mtok": ("output_video_tokens", _MILLION),
        "output_reasoning_mtok": ("output_reasoning_tokens", _MILLION),
        "input_mchars": ("characters", _MILLION),
        "input_document_kpages": ("pages", _THOUSAND),
        "web_searches_kcount": ("searches_medium", _THOUSAND),
        "storage_searches_kcount": ("file_searches", _THOUSAND),
    }
)
# Provider as LiteLLM's table names it, up to the first hyphen -> the one there. Whoever is not
# named here is not compared: a reseller has prices, and days of change, of its own.
_PROVIDERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "anthropic": "anthropic",
        "azure": "azure",
        "azure_ai": "azure",
        "azure_text": "azure",
        "bedrock": "aws",
        "bedrock_converse": "aws",
        "bedrock_mantle": "aws",
        "cerebras": "cerebras",
        "cohere": "cohere",
        "cohere_chat": "cohere",
        "databricks": "databricks",
        "deepseek": "deepseek",
        "fireworks_ai": "fireworks",
        "gemini": "google",
        "groq": "groq",
        "minimax": "minimax",
        "mistral": "mistral",
        "moonshot": "moonshotai",
        "novita": "novita",
        "openai": "openai",
        "openrouter": "openrouter",
        "perplexity": "perplexity",
        "together_ai": "together",
        "vertex_ai": "google",
        "voyage": "voyageai",
        "xai": "x-ai",
        "zai": "zai",
    }
)

# Clouds that ask more in some regions. The other list has one price for all of them, or one for
# `regional.` models: a key of a region (`azure/eu/...`, `bedrock/eu-west-1/...`, us-gov.) is dearer
# for a reason, and so is one of a place (`eu.amazon...`), unless its model is a regional one.
_REGIONAL: Final = frozenset(("aws", "azure"))
_OF_A_REGION: Final = re.compile(r"/|^us-gov\.")
_OF_A_PLACE: Final = re.compile(r"(?:us|eu|apac|jp|au|ca|sa|me)\.")
_REGIONAL_ID: Final = "regional."

Steps = tuple[tuple[int, Decimal], ...]
"""(tokens of the prompt above which it holds, USD per unit), ascending; the first is the base."""
_BASE: Final = -1
"""Lower end of the first bracket, as in the table `rate`."""


class Rule(NamedTuple):
    """Prices that hold from a day on, or in some hours of each day; without either, always."""

    starts_on: date | None
    """UTC."""
    hours: tuple[time, time] | None
    """[from, to), UTC; may reach over midnight."""
    prices: Mapping[str, Steps]
    """Meter, as columns of `rate` are named -> its steps; what has no price is not there."""


class KnownModel(NamedTuple):
    """A model there; of the rules that hold at an instant the last one counts."""

    model_id: str
    rules: tuple[Rule, ...]
    provider_id: str = ""

    def at(self, instant: datetime) -> Mapping[str, Steps]:
        """Prices at an instant, UTC; the hours of the day included."""
        holding = [rule for rule in self.rules if _holds(rule, instant)]
        return (holding or self.rules[:1])[-1].prices

    def since(self, instant: datetime) -> Rule:
        """The rule by which the prices at an instant began, whatever the hour."""
        lasting = [rule for rule in self.rules if rule.hours is None]
        begun = [rule for rule in lasting if _has_begun(rule, instant)]
        return begun[-1] if begun else self.rules[0]

    def starts(self) -> list[date]:
        """Days on which its prices change, ascending."""
        return sorted({rule.starts_on for rule in self.rules if rule.starts_on is not None})


class SecondOpinion:
    """All models of the installed genai-prices.

    Attributes:
        version: of the package.
    """

    def __init__(self, providers: Iterable[Provider], package_version: str) -> None:
        self.version = package_version
        self._providers = {provider.id: provider for provider in providers}

    def find(self, listed_provider: str, model_key: str) -> KnownModel | None:
        """The model that a key of the list means; None = it is not known there.

        Names are matched as that package does it, by pattern: `KnownModel.model_id` says which.
        """
        # vertex_ai-language-models and the like: kinds of models, one seller.
        provider_id = _PROVIDERS.get(listed_provider.partition("-")[0], "")
        name = _bare(listed_provider, model_key)
        provider = self._providers.get(provider_id)
        if provider is None or (provider_id in _REGIONAL and _OF_A_REGION.search(name)):
            return None
        # Without the other providers: what Azure asks for a model of OpenAI's is its own matter.
        found = provider.find_model(name)
        if found is None or (_OF_A_PLACE.match(name) and not found.id.startswith(_REGIONAL_ID)):
            return None
        return _known(found, provider_id)

    def model_ids(self) -> set[str]:
        """Names of its models of the providers that LiteLLM's table has, too."""
        compared = set(_PROVIDERS.values())
        return {
            f"{provider.id}/{model.id}"
            for provider in self._providers.values()
            if provider.id in compared
            for model in provider.models
        }


def is_installed() -> bool:
    """Whether genai-prices is there to be asked; imports nothing."""
    return find_spec("genai_prices") is not None


def read_opinion() -> SecondOpinion:
    """What the installed genai-prices says.

    Raises:
        ConfigError: it is not installed, or is another one than we can read.
    """
    try:
        # Only here: it brings pydantic and an HTTP client, which no other step needs.
        from genai_prices.data import providers
    except ImportError as error:
        raise ConfigError(
            f"A second opinion needs {SOURCE} 0.2.3 or one that is made like it, which this "
            f"environment has not ({error}); {PIP_LINE}"
        ) from error
    return SecondOpinion(providers, version(SOURCE))


def step_at(steps: Steps, above_tokens: int) -> Decimal:
    """The price of a prompt with just more than `above_tokens` tokens; pure."""
    return next((usd for start, usd in reversed(steps) if start <= above_tokens), steps[0][1])


def _bare(listed_provider: str, model_key: str) -> str:
    """A key of the list without the provider's name before it: `xai/grok-4.20` -> `grok-4.20`."""
    first, slash, rest = model_key.partition("/")
    family = listed_provider.partition("-")[0]
    # bedrock_converse models stand under bedrock/..., cohere_chat ones under cohere/...
    return rest if slash and family.startswith(first) else model_key


def _known(model: ModelInfo, provider_id: str) -> KnownModel | None:
    if not isinstance(model.prices, list):
        rules: tuple[Rule, ...] = (Rule(None, None, _prices(model.prices)),)
    else:
        rules = tuple(_rule(each) for each in model.prices)
    return KnownModel(model.id, rules, provider_id) if rules else None


def _rule(conditional: object) -> Rule:
    # By attribute: one kind of constraint has a day, the other two times.
    constraint = getattr(conditional, "constraint", None)
    start, end = getattr(constraint, "start_time", None), getattr(constraint, "end_time", None)
    hours = (_utc(start), _utc(end)) if start is not None and end is not None else None
    prices = _prices(getattr(conditional, "prices", None))
    return Rule(getattr(constraint, "start_date", None), hours, prices)


def _utc(moment: time) -> time:
    """A time of day in UTC, without a zone; one that has no zone is UTC already."""
    if moment.tzinfo is None:
        return moment
    # The package takes the offset of that day, too: its zones are fixed.
    return datetime.combine(date(1970, 1, 1), moment).astimezone(UTC).time()


def _prices(model_price: object) -> Mapping[str, Steps]:
    return MappingProxyType(dict(_each_price(model_price)))


def _each_price(model_price: object) -> Iterator[tuple[str, Steps]]:
    for name, (meter, per) in _METERS.items():
        price = getattr(model_price, name, None)
        if isinstance(price, Decimal):
            yield meter, ((_BASE, price / per),)
        elif price is not None:
            tiers = [(tier.start, tier.price / per) for tier in price.tiers]
            yield meter, ((_BASE, price.base / per), *tiers)


def _holds(rule: Rule, instant: datetime) -> bool:
    if not _has_begun(rule, instant):
        return False
    if rule.hours is None:
        return True
    start, end = rule.hours
    if end < start:
        return instant.time() >= start or instant.time() < end
    return start <= instant.time() < end


def _has_begun(rule: Rule, instant: datetime) -> bool:
    return rule.starts_on is None or instant.date() >= rule.starts_on
