"""The section `[variance]` of `anchor.toml`: how far an invoice may be from its estimate."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.mistakes import Mistakes

__all__ = ("OWNERS", "VarianceRules", "read_variance_rules")

OWNERS = {
    "price_drift": "pricing",
    "contract_discount": "procurement",
    "missing_capture": "platform",
    "tagging_failure": "platform",
    "late_receipts": "platform",
    "provider_delta": "finops",
    "credits_tax": "finance",
    "rounding": "finance",
    "unexplained": "finops",
}
"""Category -> who mends it, unless `[close.owners]` names somebody else."""


class VarianceRules(NamedTuple):
    """Beyond which a person has to look."""

    percent: Decimal = Decimal(3)
    """Of the invoice total ..."""
    floor: Decimal = Decimal(500)
    """... or this much USD, at the booked rate, whichever is larger."""
    line_percent: Decimal = Decimal(10)
    """Of a model and meter that is invoiced with less than `floor`: no floor would let it flag."""
    price_percent: Decimal = Decimal(1)
    """Of the unit price: invoiced amount by invoiced quantity, against the rate card."""

    @property
    def ratio(self) -> Decimal:
        """`percent` as 0..1."""
        return self.percent / 100


def read_variance_rules(config: Mapping[str, object]) -> VarianceRules:
    """The rules of a parsed `anchor.toml`; defaults where it says nothing.

    Raises:
        ConfigError: a key that nobody reads, or a value that is no number of 0 or more.
    """
    table = config.get("variance", {})
    if not isinstance(table, Mapping):
        raise ConfigError(f"Cannot use {table!r} for 'variance'; expected a table [variance]")
    wrong = Mistakes()
    wrong.known(table, VarianceRules._fields, "[variance]")
    given = [(name, table[name]) for name in VarianceRules._fields if name in table]
    numbers = wrong.each(given, lambda pair: (pair[0], _number(*pair)))
    wrong.refuse()
    return VarianceRules(**dict(numbers))


def _number(name: str, value: object) -> Decimal:
    try:
        # A float of TOML is read by its shortest text, which is what was written.
        number = Decimal("NaN" if isinstance(value, bool) else str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise ConfigError(f"Cannot use {value!r} for {name!r} in [variance]; expected 0 or more")
    return number
