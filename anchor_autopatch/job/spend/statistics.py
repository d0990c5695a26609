"""Median and median absolute deviation of exact numbers; pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

__all__ = ("deviation", "median")


def median(values: Sequence[Decimal]) -> Decimal:
    """The middle value, or the mean of the two middle ones.

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("No values to take the median of; expected at least one")
    ordered = sorted(values)
    half = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[half]
    return (ordered[half - 1] + ordered[half]) / 2


def deviation(values: Sequence[Decimal], middle: Decimal) -> Decimal:
    """Median absolute deviation from `middle`: half of the values are no further away.

    Unlike a standard deviation it does not grow with the outlier that it is to find (Hampel, The
    Influence Curve and Its Role in Robust Estimation, 1974).
    """
    return median([abs(value - middle) for value in values])
