"""One comparison: what was measured bare, what hooked, the bar, and how it is printed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two samples of the same work, in one unit."""

    name: str
    unit: str
    bare: tuple[float, ...]
    hooked: tuple[float, ...]
    most_added: float | None = None
    """The bar on the added median, in the unit."""
    most_ratio: float | None = None
    """The bar on the ratio of the medians."""

    @property
    def added(self) -> float:
        """Median of the differences between neighbours: what the machine does to both falls out."""
        return statistics.median(
            hooked - bare for bare, hooked in zip(self.bare, self.hooked, strict=True)
        )

    @property
    def ratio(self) -> float:
        """Hooked median over bare median."""
        return statistics.median(self.hooked) / statistics.median(self.bare)

    @property
    def missed(self) -> bool:
        """True when a bar is not held."""
        too_much = self.most_added is not None and self.added > self.most_added
        return too_much or (self.most_ratio is not None and self.ratio > self.most_ratio)

    def line(self) -> str:
        """The comparison as one line of text."""
        bars = [f"+{self.most_added:g} {self.unit}"] if self.most_added is not None else []
        bars += [f"{self.most_ratio:.2f}x"] if self.most_ratio is not None else []
        verdict = (
            "" if not bars else f"   bar {' '.join(bars)}: {'MISSED' if self.missed else 'held'}"
        )
        return (
            f"{self.name:36} bare {_median(self.bare):9.2f}"
            f"  hooked {_median(self.hooked):9.2f} {self.unit}"
            f"  +{self.added:.2f}  {self.ratio:.3f}x{verdict}"
        )


def _median(sample: Sequence[float]) -> float:
    return statistics.median(sample)


def show(result: Comparison) -> Comparison:
    """Prints the comparison and hands it on."""
    print(result.line(), flush=True)
    return result
