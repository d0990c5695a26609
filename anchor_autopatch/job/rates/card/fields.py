"""The cost fields of one model as exact numbers, and their canonical text and digest."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from decimal import Context, Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final, TypeAlias
from uuid import UUID

Entry: TypeAlias = Mapping[str, Any]
"""The fields of one model, as parsed with parse_float=Decimal."""

RATE_SCALE: Final = Decimal("1e-18")
# A binary float carries 15 decimal digits; what lies beyond (5.0000000000000004E-8) is an artefact.
_DIGITS: Final = Context(prec=15)
_COST_FIELD = re.compile(r"cost|pricing|multiplier")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")
_OTHER_FIELDS = frozenset(
    ("litellm_provider", "mode", "provider_specific_entry", "web_search_billing_unit")
)


def cost_fields(entry: Entry) -> dict[str, Any]:
    """What the price of a model depends on, without its capabilities and limits."""
    return {
        name: entry[name]
        for name in sorted(entry)
        if entry[name] is not None and (name in _OTHER_FIELDS or _COST_FIELD.search(name))
    }


def canonical(fields: Entry) -> str:
    """JSON text that is equal for equal prices, however their digits were written."""
    return json.dumps(_plain(fields), sort_keys=True, separators=(",", ":"))


def raw_text(fields: Entry) -> str:
    """JSON text with the digits as published."""
    return json.dumps(fields, default=str, sort_keys=True)


def parse_fields(text: str) -> dict[str, Any]:
    """The fields in a `raw_text` with exact numbers, which JSON holds as texts."""
    return {name: _with_number(value) for name, value in json.loads(text).items()}


def sheet_id(canonical_text: str) -> UUID:
    """The first 128 bits of the SHA-256 of a canonical text."""
    return UUID(bytes=hashlib.sha256(canonical_text.encode()).digest()[:16])


def number(value: object) -> Decimal | None:
    """A published number without float artefacts; None for what is not a number >= 0."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        # Configuration files write rates as text.
        try:
            value = Decimal(value)
        except InvalidOperation:
            return None
    if isinstance(value, int):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite() or value < 0:
        return None
    return _DIGITS.plus(value)


def _with_number(value: object) -> object:
    if isinstance(value, dict):
        return {name: _with_number(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_number(part) for part in value]
    return Decimal(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _plain(value: object) -> object:
    """The value with numbers as the text that equal numbers share: 0 and 0.0 are one price."""
    if isinstance(value, Decimal):
        return format(_DIGITS.plus(value).normalize(), "E")
    if isinstance(value, int) and not isinstance(value, bool):
        return format(Decimal(value).normalize(), "E")
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value


EMPTY: Final[Entry] = MappingProxyType({})
