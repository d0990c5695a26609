"""Quantities as bills count them, in thousands and millions; landed they are single units."""

from __future__ import annotations

import re
from decimal import Decimal

from anchor_autopatch.job.invoices.landing import landed
from anchor_autopatch.job.invoices.values import parse_amount

__all__ = ("quantity_of",)

_SCALES = {"k": 1_000, "m": 1_000_000, "b": 1_000_000_000}
# `1K tokens`, `1K`, `1M Tokens`, `1000 tokens`, `1000_tokens`, `10K`.
_UNIT = re.compile(r"(?P<number>\d{1,6}(?:\.\d{1,6})?)\s*(?P<scale>[kmb]?)\b[\s/-]*(?P<name>.*)")


def quantity_of(text: str, unit: str) -> tuple[Decimal | None, str | None]:
    """Quantity in single units, rounded half-even to 1e-9, and the unit's bare name.

    A unit that is a bare number or scale, as Azure's `1K`, counts tokens.

    Raises:
        ValueError: the quantity is not a number.
    """
    if not text:
        return None, unit or None
    try:
        quantity = parse_amount(text)
    except ValueError as error:
        raise ValueError(f"Quantity {text!r} is not a number; write it like 1200.5") from error
    found = _UNIT.fullmatch(unit.strip().lower().replace("_", " "))
    if found is None:
        return landed(quantity), unit.strip().lower() or None
    # At most 1e12 x 1e6 x 1e9: within the 29 digits that a landed quantity has before its point.
    scale = Decimal(found["number"]) * _SCALES.get(found["scale"], 1)
    name = found["name"].strip() or ("tokens" if scale > 1 else "units")
    return landed(quantity * scale), name
