"""In what units prices are told: USD for a million tokens, for one of whatever else is billed."""

from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("ToldPrice", "told_price")

_MILLION: Final = 1_000_000
_SECONDS_PER_HOUR: Final = 3600
_MS_PER_SECOND: Final = 1000
# End of a meter's name -> (how many of its units are told together, what they are called). The
# first that fits counts. Milliseconds and token-seconds are how rates are kept, not how anybody
# bills.
_ENDINGS: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {
        "_token_seconds": (_MILLION * _SECONDS_PER_HOUR, "1M token-hours"),
        "tokens": (_MILLION, "1M tokens"),
        "_ms": (_MS_PER_SECOND, "second"),
        "seconds": (1, "second"),
        "images": (1, "image"),
        "pixels": (1, "pixel"),
        "characters": (1, "character"),
        "pages": (1, "page"),
        "map_queries": (1, "map query"),
        "queries": (1, "query"),
        "file_searches": (1, "file search"),
        "searches": (1, "search"),
        "sessions": (1, "session"),
        "units": (1, "unit"),
    }
)
_SIZES: Final = ("_low", "_medium", "_high")


class ToldPrice(NamedTuple):
    """A price as people read it."""

    usd: Decimal
    """Without trailing zeros."""
    per: str
    """`1M tokens`, `image`, `second`."""

    def __str__(self) -> str:
        return f"{self.usd:f} per {self.per}"


def told_price(meter: str, unit_price_usd: Decimal) -> ToldPrice:
    """The price of a meter, USD per unit as rates are kept, in the unit that people know.

    `meter` is one of `usage_lines` or a column of the table `rate` without `_usd`; what no ending
    fits is billed by the call.
    """
    name = meter
    for size in _SIZES:
        # Searches have a rate for each size of the context: searches_low and the like.
        name = name.removesuffix(size)
    scale, unit = next(
        (each for ending, each in _ENDINGS.items() if name.endswith(ending)), (1, "call")
    )
    return ToldPrice((unit_price_usd * scale).normalize(), unit)
