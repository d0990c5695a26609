"""How amounts are printed: exact, never rounded away, with the decimals of their currency."""

from __future__ import annotations

from decimal import Decimal

from anchor_autopatch.job.invoices.currencies import minor_units

_PLAIN_DECIMALS = 2
_ESTIMATE = Decimal("0.000001")


def money(amount: Decimal | None, currency: str) -> str | None:
    """An amount with the decimals of its currency, more only where it has more; None stays None."""
    if amount is None:
        return None
    decimals = minor_units(currency)
    wanted = _PLAIN_DECIMALS if decimals is None else decimals
    rounded = amount.quantize(Decimal(1).scaleb(-wanted))
    return f"{rounded:,f}" if rounded == amount else f"{amount.normalize():,f}"


def estimate(amount: Decimal | None) -> str | None:
    """A cost in USD to the sixth decimal: single calls cost less than a cent."""
    return None if amount is None else f"{amount.quantize(_ESTIMATE):,f}"
