"""A contract over the list: it prices the meters that it names, the list prices the others.

A contract on input and output says nothing of cached tokens: without the list they would fall back
to the contract's input rate, ten times what is billed for most models.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from anchor_autopatch.job.rates.card import RateSheet, build_sheet, parse_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anchor_autopatch.job.rates.card.fields import Entry

_PER_TOKEN = re.compile(r".*_cost_per_(?:\w+_)?token|cache_\w+_input_token_cost(?:_above_\w+)?")
# A named rate holds for what is a kind of it, unless that has a rate of its own in the contract.
_KINDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "input_cost_per_token": ("input_cost_per_image_token", "input_cost_per_video_token"),
        "output_cost_per_token": ("output_cost_per_reasoning_token",),
    }
)
# Fees for what a call does beside its tokens: naming one changes nothing of how the rest is billed.
_FEES: Final = frozenset(
    (
        *("search_context_cost_per_query", "google_maps_grounding_cost_per_query"),
        *("file_search_cost_per_1k_calls", "code_interpreter_cost_per_session"),
    )
)
_BLOCKS: Final = ("tiered_pricing", "off_peak_pricing")


def agreed_sheet(contract: str, listed: str | None, *, units_with_tokens: bool) -> RateSheet:
    """The sheet of a contract's fields over those of the list; both as `rate_sheet` keeps them.

    Units instead of tokens (images, seconds, pages) are another way to bill: a contract that names
    one stands alone, as does one for a model that no list has (`listed` None). Fees of searches and
    sessions come on top of either.
    """
    agreed = parse_fields(contract)
    named = {name: rate for name, rate in agreed.items() if name != "litellm_provider"}
    if listed is None or not all(_is_beside(name) for name in named):
        return build_sheet(agreed, units_with_tokens=units_with_tokens)
    return build_sheet(_overlaid(parse_fields(listed), named))


def _is_beside(name: str) -> bool:
    """Whether a contract on it leaves what else the list bills as it is."""
    return name in _FEES or _PER_TOKEN.fullmatch(name) is not None


def _overlaid(listed: Entry, named: Entry) -> dict[str, Any]:
    """The list's fields, with the contract's rates in place of every variant of a named one.

    A contract states one rate: brackets, tiers and off-peak hours of the list go for what it names.
    A batch costs half of it, as for models without batch rates.
    """
    replaced = [*named, *(kind for name in named for kind in _KINDS.get(name, ()))]
    kept = {name: value for name, value in listed.items() if not _is_variant(name, replaced)}
    for block in _BLOCKS:
        if block in kept:
            kept[block] = _within(kept[block], replaced, named)
    return {**kept, **named}


def _is_variant(name: str, replaced: list[str]) -> bool:
    return any(name == base or re.match(rf"{base}_(?!above_\d+hr)", name) for base in replaced)


def _within(block: Any, replaced: list[str], named: Entry) -> Any:  # noqa: ANN401 - parsed JSON
    """A table of steps or hours with the contract's rates in place of the ones it names."""
    if isinstance(block, list):
        return [_within(step, replaced, named) for step in block]
    if not isinstance(block, dict):
        return block
    kept = {name: value for name, value in block.items() if not _is_variant(name, replaced)}
    return {**kept, **named}
