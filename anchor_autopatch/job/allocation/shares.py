"""Divides whole units of money so that the parts sum exactly.

Largest remainder (Hamilton): every part is first cut down to whole units, then the units still
missing go, one each, to the largest remainders. Ties fall to the larger weight, then to the smaller
key, so that no order of arrival decides. `rounded_parts` in sql/allocation/splitting.sql applies
the same rule to splits of millions of keys (docs/adr/0002).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("allocate",)


def allocate(amount: int, weights: Sequence[int], keys: Sequence[tuple[object, ...]]) -> list[int]:
    """Shares of `amount` in proportion to `weights`, each less than one unit from the exact share.

    The sign of the amount is kept. Weights that are all zero mean even shares: the last resort.

    Args:
        amount: Whole units, e.g. cents or nano currency units; may be negative.
        weights: None negative, one for each key.
        keys: Unique and comparable; they break ties.

    Raises:
        ValueError: no keys, or a negative weight.
    """
    if not keys or min(weights) < 0:
        raise ValueError(f"Cannot divide {amount} by {len(keys)} weights of which one is below 0")
    used = weights if any(weights) else [1] * len(weights)
    total_weight = sum(used)
    divided = [divmod(abs(amount) * weight, total_weight) for weight in used]
    floors = [floor for floor, _ in divided]
    ranks = [
        (-rest, -weight, key) for (_, rest), weight, key in zip(divided, used, keys, strict=True)
    ]
    missing = abs(amount) - sum(floors)
    for position in sorted(range(len(ranks)), key=ranks.__getitem__)[:missing]:
        floors[position] += 1
    if sum(floors) != abs(amount):
        raise ArithmeticError(f"Shares sum to {sum(floors)}, not to {abs(amount)}")
    return floors if amount >= 0 else [-share for share in floors]
