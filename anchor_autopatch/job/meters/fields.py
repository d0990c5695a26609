"""Reads counts out of parsed JSON without trusting it: what is no count reads as missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, TypeAlias

Json: TypeAlias = Mapping[str, object]
HIGHEST_COUNT: Final = 10**15
"""More of anything in one call is nonsense, and would break the arithmetic of all receipts."""
_HIGHEST_AMOUNT = 10**12
_PLAIN_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,18})?", re.ASCII)


def count(source: Json, *names: str) -> int | None:
    """The first of the named fields that is a sane whole number; None when none is."""
    for name in names:
        value = source.get(name)
        if isinstance(value, Decimal) and value == value.to_integral_value():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < HIGHEST_COUNT:
            return value
    return None


def amount(source: Json, *names: str) -> Decimal | None:
    """The first of the named fields that is a finite number >= 0, exactly; None when none is.

    Some write such numbers as text: a duration of OpenAI's, a cost of a gateway's.
    """
    for name in names:
        value = source.get(name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if whole or (isinstance(value, str) and _PLAIN_NUMBER.fullmatch(value)):
            value = Decimal(str(value))
        if isinstance(value, Decimal) and value.is_finite() and 0 <= value < _HIGHEST_AMOUNT:
            return value
    return None


def milliseconds(source: Json, *names: str) -> int | None:
    """The first of the named fields that is a length in seconds, as milliseconds, half up."""
    seconds = amount(source, *names)
    return None if seconds is None else int((seconds * 1000 + Decimal("0.5")) // 1)


def text(source: Json, *names: str) -> str | None:
    """The first of the named fields that is a non-empty text, in lower case."""
    for name in names:
        value = source.get(name)
        if isinstance(value, str) and value:
            return value.lower()
    return None


def part(source: Json, *names: str) -> Json:
    """The first of the named fields that is an object; {} when none is."""
    for name in names:
        value = source.get(name)
        if isinstance(value, Mapping):
            return value
    return {}


def parts(source: Json, *names: str) -> list[Json]:
    """The objects in the first of the named fields that is a list; [] when none is."""
    for name in names:
        value = source.get(name)
        if isinstance(value, list):
            return [item for item in value if isinstance(item, Mapping)]
    return []
