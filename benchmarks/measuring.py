"""One comparison: what was measured bare and hooked, in turns, and the bar that it is held to."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

_Sample = TypeVar("_Sample")
_HALF_WIDTH = 1.96 / 2


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two samples of the same work in one unit; those of one turn stand at the same place."""

    name: str
    unit: str
    bare: tuple[float, ...]
    hooked: tuple[float, ...]
    most_added: float | None = None
    """The bar on what is added, in the unit."""
    most_ratio: float | None = None
    """The bar on the ratio of hooked to bare."""

    @property
    def differences(self) -> list[float]:
        """What each turn added: what the machine did to both of its halves falls out."""
        return sorted(h - b for b, h in zip(self.bare, self.hooked, strict=True))

    @property
    def added(self) -> float:
        """Median of the differences."""
        return statistics.median(self.differences)

    @property
    def ratio(self) -> float:
        """Median of the ratios."""
        return statistics.median(h / b for b, h in zip(self.bare, self.hooked, strict=True))

    @property
    def uncertain(self) -> float:
        """Half the width of the 95 % interval of the median difference, by order statistics."""
        found = self.differences
        reach = _HALF_WIDTH * math.sqrt(len(found))
        low = max(0, math.floor(len(found) / 2 - reach))
        high = min(len(found) - 1, math.ceil(len(found) / 2 + reach) - 1)
        return (found[high] - found[low]) / 2

    @property
    def missed(self) -> bool:
        """True when a bar is not held."""
        too_much = self.most_added is not None and self.added > self.most_added
        return too_much or (self.most_ratio is not None and self.ratio > self.most_ratio)

    @property
    def bar(self) -> str:
        """The bars in words; empty where nothing is promised."""
        added = [f"+{self.most_added:g} {self.unit}"] if self.most_added is not None else []
        ratio = [f"{self.most_ratio:.2f}x"] if self.most_ratio is not None else []
        return " ".join(added + ratio)

    @property
    def verdict(self) -> str:
        """held | MISSED, with ? where the bar lies within the interval; empty without a bar."""
        if not self.bar:
            return ""
        return ("MISSED" if self.missed else "held") + ("" if self._certain else "?")

    @property
    def _certain(self) -> bool:
        of_added = self.most_added is None or abs(self.added - self.most_added) > self.uncertain
        if self.most_ratio is None:
            return of_added
        reach = self.uncertain / statistics.median(self.bare)
        return of_added and abs(self.ratio - self.most_ratio) > reach


def in_turns(
    sides: tuple[Callable[[], _Sample], Callable[[], _Sample]], rounds: int, warm_up: int = 2
) -> tuple[list[_Sample], list[_Sample]]:
    """Lets both sides work in turns, and leaves the first rounds out.

    Who goes first changes, so that a machine that slows down or warms up favours neither.
    """
    found: tuple[list[_Sample], list[_Sample]] = ([], [])
    for turn in range(rounds + warm_up):
        for side in (0, 1) if turn % 2 else (1, 0):
            sample = sides[side]()
            if turn >= warm_up:
                found[side].append(sample)
    return found


def percentile(sample: Sequence[float], share: float) -> float:
    """The value that this share of the sample does not exceed (nearest rank)."""
    return sorted(sample)[min(len(sample) - 1, math.ceil(share * len(sample)) - 1)]
