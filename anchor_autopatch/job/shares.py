"""Divides whole units of money so that the parts sum exactly; nothing else rounds shares.

Largest remainder (Hamilton): every part is first cut down to whole units, then the units still
missing go, one each, to the largest remainders. Ties fall to the larger weight, then to the smaller
key, so that no order of arrival decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("allocate", "round_to_total")


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
    shares = _hand_out(abs(amount), floors, ranks)
    return shares if amount >= 0 else [-share for share in shares]


def round_to_total(
    total: int, parts: Sequence[int], unit: int, keys: Sequence[tuple[object, ...]]
) -> list[int]:
    """Parts counted in a fine unit, rounded to whole coarse units that sum to `total`.

    Parts may be negative. Each result is less than one coarse unit from its part.

    Args:
        total: Coarse units that the parts stand for.
        parts: In fine units; together within one coarse unit of `total`, one for each key.
        unit: Fine units in a coarse one.
        keys: Unique and comparable; they break ties.

    Raises:
        ArithmeticError: the parts do not add up to the total.
    """
    divided = [divmod(part, unit) for part in parts]
    floors = [floor for floor, _ in divided]
    ranks = [
        (-rest, -abs(part), key) for (_, rest), part, key in zip(divided, parts, keys, strict=True)
    ]
    return _hand_out(total, floors, ranks)


def _hand_out(
    total: int, floors: list[int], ranks: Sequence[tuple[int, int, tuple[object, ...]]]
) -> list[int]:
    missing = total - sum(floors)
    if not 0 <= missing <= len(floors):
        raise ArithmeticError(
            f"Parts miss their total {total} by {missing} units in {len(floors)} parts"
        )
    shares = floors.copy()
    for position in sorted(range(len(ranks)), key=ranks.__getitem__)[:missing]:
        shares[position] += 1
    if sum(shares) != total:
        raise ArithmeticError(f"Shares sum to {sum(shares)}, not to {total}")
    return shares
