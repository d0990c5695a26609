"""Charges summed to invoice lines, scaled to a wished total to the cent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from examples.provider_sim.ledger import Charge, plain
from examples.provider_sim.prices import UNIT_METERS
from examples.provider_sim.values import SimulationError

CENT = Decimal("0.01")
EVERY_DIMENSION = ("day", "provider", "model", "meter", "tier", "project", "api_key")


class InvoiceError(SimulationError):
    """An invoice that cannot be made from this ledger."""


@dataclass(frozen=True, slots=True)
class Line:
    """One position, summed over its charges; `amount` in USD, `day` in UTC."""

    day: date
    provider: str
    model: str
    meter: str
    tier: str | None
    project: str | None
    api_key: str | None
    quantity: int
    amount: Decimal

    @property
    def unit(self) -> str:
        """The unit of the quantity."""
        return UNIT_METERS.get(self.meter, "tokens")

    def key(self, dimensions: Iterable[str]) -> tuple[str, ...]:
        """Return the values of some dimensions as text, for grouping and ordering."""
        values = (getattr(self, name) for name in dimensions)
        return tuple("" if value is None else str(value) for value in values)


def invoice_lines(
    charges: Iterable[Charge],
    provider: str,
    query: Mapping[str, str],
    dimensions: tuple[str, ...] = EVERY_DIMENSION,
) -> list[Line]:
    """Return a provider's lines, ordered by `dimensions`.

    The query may narrow them (`period` YYYY-MM, `project`) and scale them (`total`: an amount, or
    "auto" for their own sum, rounded). Without a total the amounts are exact.

    Raises:
        InvoiceError: for a total that is no amount, or that no line can carry.
    """
    period, project = query.get("period"), query.get("project")
    singles = (
        line
        for charge in charges
        if charge.provider == provider
        and period in (None, f"{charge.at:%Y-%m}")
        and project in (None, charge.project)
        for line in _positions(charge)
    )
    lines = _summed(singles, dimensions)
    total = query.get("total")
    return lines if total is None else _scaled(lines, total)


def _positions(charge: Charge) -> Iterable[Line]:
    for meter, amount in charge.amounts.items():
        yield Line(
            day=charge.at.date(),
            provider=charge.provider,
            model=charge.model,
            meter=meter,
            tier=charge.service_tier,
            project=charge.project,
            api_key=charge.api_key_id,
            quantity=charge.meters[meter],
            amount=amount,
        )


def _summed(lines: Iterable[Line], dimensions: tuple[str, ...]) -> list[Line]:
    groups: dict[tuple[str, ...], Line] = {}
    for line in lines:
        key = line.key(dimensions)
        known = groups.get(key)
        groups[key] = line if known is None else _added(known, line)
    return [groups[key] for key in sorted(groups)]


def _added(known: Line, line: Line) -> Line:
    return replace(
        known, quantity=known.quantity + line.quantity, amount=known.amount + line.amount
    )


def _scaled(lines: list[Line], total: str) -> list[Line]:
    """Return the lines in whole cents that sum to the total, by largest remainder."""
    whole = sum((line.amount for line in lines), Decimal(0))
    wanted = _cents(whole if total == "auto" else _amount(total))
    if whole <= 0 and wanted:
        raise InvoiceError(f"A total of {total} cannot be spread: billed are {plain(whole)} USD")
    exact = [line.amount / whole * wanted if whole else Decimal(0) for line in lines]
    cents = [int(value) for value in exact]
    # Cents that are left go to the largest remainders; ties to the earlier line.
    order = sorted(range(len(lines)), key=lambda i: (cents[i] - exact[i], i))
    for i in order[: wanted - sum(cents)]:
        cents[i] += 1
    if sum(cents) != wanted:
        raise InvoiceError(f"Lines sum to {sum(cents)} cents instead of {wanted}")
    return [replace(line, amount=CENT * part) for line, part in zip(lines, cents, strict=True)]


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise InvoiceError(f"Total {text!r} is no decimal amount; write it like 100.00") from error
    if not amount.is_finite() or amount < 0 or amount != amount.quantize(CENT):
        raise InvoiceError(f"Total {text!r} must be a positive amount in whole cents")
    return amount


def _cents(amount: Decimal) -> int:
    return int((amount / CENT).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
