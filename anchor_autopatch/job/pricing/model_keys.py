"""Which key of the price list a receipt's model names mean, with the rule that found it.

Order of the candidates as LiteLLM 1.109.1 has it (get_model_info), plus the prefixes that it does
not know. The model that answered is asked for first, then the one that was requested. LiteLLM's
capability rules for unknown names are left out on purpose: they carry no price, so every new model
would be free.

A receipt of an `unmapped` provider is priced only when its model name is itself a key of the list,
and then as an alias: the rate is a guess at who bills, and the row stays `unmapped`, so that it
never mixes into a provider's invoice. All others of them stay unpriced, with that reason.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from anchor_autopatch.core.hosts import UNMAPPED

_PATH = re.compile(
    r"^(?:(?:gemini|vertex_ai)/)?(?:projects/[^/]+/locations/[^/]+/)?(?:publishers/[^/]+/)?models/"
)
_BEDROCK_ROUTE = re.compile(r"^(?:bedrock/)?(?:invoke/|converse/|converse_like/)?")
_BEDROCK_ARN = re.compile(
    r"^arn:aws[\w-]*:bedrock:[\w-]*:\d*:(?:foundation-model|inference-profile)/"
)
_BEDROCK_REGION = re.compile(r"^(?:us-gov|us|eu|apac|jp|au|ca|sa|me|global)\.")
_BEDROCK_REVISION = re.compile(r":\d+(?::\d+k)?$")
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$|[-@]\d{8}$")
_VERSION = re.compile(r"-\d+$")
_HIGH_RESOLUTION = "high-res"
_FINE_TUNE = re.compile(r"(?::[^:]*){3}$")

# Providers that one invoice covers under several names of the price list.
_FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "openai": ("text-completion-openai",),
        "azure": ("azure_text",),
        "azure_ai": ("azure", "openai"),
        "cohere": ("cohere_chat",),
        "codestral": ("text-completion-codestral",),
    }
)
_PREFIX_FAMILIES = ("vertex_ai", "bedrock", "fireworks_ai")


class Names(NamedTuple):
    """What a receipt says about its model; empty texts where it says nothing."""

    provider: str
    request_model: str
    response_model: str
    image_variant: str


class Resolution(NamedTuple):
    """The key of the list (None = none fits), the rule, and the contract that covers the name."""

    model_key: str | None
    rule: str
    is_alias: bool
    contract: tuple[str, str] | None = None
    """(model key, provider) of a contract; '' = whoever invoices."""


class Catalogue(NamedTuple):
    """Every key that can be priced: list key -> its provider, its lower case, and the contracts."""

    keys: Mapping[str, str]
    lowered: Mapping[str, str]
    contracts: frozenset[tuple[str, str]]
    catalogue_id: str
    models: Mapping[str, str] = MappingProxyType({})
    """`[models]` of anchor.toml: a name of one's own, in lower case -> the model behind it."""

    def find(self, key: str, provider: str) -> str | None:
        """The list key of this name, in any case, if this provider's invoice covers it."""
        found = key if key in self.keys else self.lowered.get(key.lower())
        return found if found is not None and _bills(provider, self.keys[found]) else None


def make_catalogue(
    keys: Mapping[str, str],
    contracts: Iterable[tuple[str, str]] = (),
    models: Mapping[str, str] = MappingProxyType({}),
) -> Catalogue:
    """The catalogue of list keys (key -> provider), contracts (key, provider or '') and own names.

    `models` maps names of one's own to models: Azure deployments, Bedrock inference profiles.
    """
    held = frozenset(contracts)
    own = {name.lower(): model for name, model in models.items()}
    lines = [f"{key} {keys[key]}" for key in sorted(keys)] + [f"!{pair}" for pair in sorted(held)]
    lines += [f"={name} {own[name]}" for name in sorted(own)]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return Catalogue(keys, {key.lower(): key for key in keys}, held, digest, own)


def resolve(names: Names, catalogue: Catalogue) -> Resolution:
    """The key of the price list for a receipt's names, and the rule that found it."""
    spoken = [
        (label, name)
        for label, name in (("response", names.response_model), ("request", names.request_model))
        if name
    ]
    # Who maps a deployment knows better than its name, be it that of another model.
    mapped = [
        (f"{label}, mapped", catalogue.models.get(name.lower(), "")) for label, name in spoken
    ]
    spoken = [*((label, model) for label, model in mapped if model), *spoken]
    contract = _find_contract(names.provider, [name for _, name in spoken], catalogue)
    for label, name in spoken:
        for rule, key, is_alias in _candidates(names.provider, name, names.image_variant):
            found = catalogue.find(key, names.provider)
            if found is not None:
                unmapped = names.provider == UNMAPPED
                return Resolution(found, f"{label}:{rule}", is_alias or unmapped, contract)
    return Resolution(None, _why_not(names), False, contract)


def contract_key(model: str) -> str:
    """The spelling under which a contract for a model is kept: no path, lower case."""
    return _without_path(model).lower()


def _why_not(names: Names) -> str:
    if not (names.request_model or names.response_model):
        return "the receipt names no model"
    if names.provider == UNMAPPED:
        return "nobody said who invoices this host"
    return "no card has this model"


def _candidates(provider: str, model: str, variant: str) -> Iterator[tuple[str, str, bool]]:
    """(rule, key, whether the key is a related name) in the order of asking."""
    name = _without_path(model)
    if provider == UNMAPPED:
        yield "as named", name, False
        return
    bare = name.removeprefix(f"{provider}/")
    if variant == _HIGH_RESOLUTION:
        yield "high resolution", f"{provider}/{bare}-{variant}", False
        yield "high resolution", f"{bare}-{variant}", False
    elif variant:
        quality, _, size = variant.rpartition("/")
        for spelled in (f"{variant}/{bare}", f"{size}/{bare}" if quality else ""):
            if spelled:
                yield "image variant", f"{provider}/{spelled}", False
                yield "image variant", spelled, False
    if provider.startswith("bedrock"):
        bare = _BEDROCK_ARN.sub("", _BEDROCK_ROUTE.sub("", bare))
    yield "provider/model", f"{provider}/{bare}", False
    yield "model", name, False
    yield "model", bare, False
    yield from _related(provider, bare)
    yield "provider/provider/model", f"{provider}/{name}", False


def _related(provider: str, bare: str) -> Iterator[tuple[str, str, bool]]:
    for rule, related, is_alias in _stripped(provider, bare):
        if related != bare:
            yield f"{rule}, provider/model", f"{provider}/{related}", is_alias
            yield rule, related, is_alias


def _stripped(provider: str, bare: str) -> Iterator[tuple[str, str, bool]]:
    if provider.startswith("bedrock"):
        regional = _BEDROCK_REVISION.sub("", bare)
        yield "without revision", regional, False
        # A geographic inference profile without a price of its own bills as its base model.
        yield "base model", _BEDROCK_REGION.sub("", regional), False
        yield "base model", _BEDROCK_REGION.sub("", bare), False
    if bare.startswith("ft:"):
        yield "fine-tune base", _FINE_TUNE.sub("", bare), False
    yield (
        "without @version",
        bare.partition("@")[0],
        bare.partition("@")[2] not in ("default", "latest"),
    )
    if provider in ("gemini", "databricks") or provider.startswith("vertex_ai"):
        yield "without version", _VERSION.sub("", bare), True
    yield "without date", _DATED.sub("", bare), True


def _find_contract(
    provider: str, models: Iterable[str], catalogue: Catalogue
) -> tuple[str, str] | None:
    """A contract for one of these names; one limited to the provider comes before a general one."""
    for model in models:
        name = contract_key(model)
        for key in (name, name.removeprefix(f"{provider}/"), f"{provider}/{name}"):
            for limit in (provider, ""):
                if (key, limit) in catalogue.contracts:
                    return key, limit
    return None


def _bills(provider: str, listed: str) -> bool:
    """Whether an invoice of `provider` covers a model that the list files under `listed`."""
    if provider in (listed, UNMAPPED):
        return True
    if listed in _FAMILIES.get(provider, ()):
        return True
    return any(provider.startswith(name) and listed.startswith(name) for name in _PREFIX_FAMILIES)


def _without_path(model: str) -> str:
    return _PATH.sub("", model)
