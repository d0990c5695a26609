"""Puts every part of the difference between an invoice and its estimate in one category: pure.

Amounts are integers in 1e-9 of the currency, quantities in 1e-6 units; the parts of an invoice sum
exactly to invoiced minus estimated. What cannot be told is `unexplained`, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from anchor_autopatch.job.variance.rules import VarianceRules

__all__ = ("Invoice", "OtherLine", "Part", "Unit", "classify", "from_usd")

# Unit prices that all differ by the same share, give or take this much, are a contract.
_SAME_SHARE = Fraction(5, 1000)
# Estimates are cut to 1e-9, match by match.
_DUST = 10**4
_NANO = 10**9
_MICRO = 10**6
_PICO = 10**12


class Invoice(NamedTuple):
    """An invoice and what is known around it; all amounts in its currency."""

    period: str
    provider: str
    account: str
    invoice_id: str
    currency: str
    minor_units: int
    total: int
    estimated: int
    """Of all receipts that it pays for."""
    elsewhere: int
    """Estimate of receipts of the same provider and month that no invoice pays for."""
    late_outboxes: int
    """Outboxes of the month that were last shipped before it ended."""
    rate_pico: int = _PICO
    """1e-12 USD for one unit of the currency."""


class OtherLine(NamedTuple):
    """Money that is not usage with receipts, by kind of line."""

    kind: str
    """Charge category, or `idle`."""
    without_receipts: bool
    amount: int
    line_count: int


class Unit(NamedTuple):
    """Usage lines of one model, meter and tier, and the receipts that they pay for."""

    model: str
    meter: str
    tier: str
    is_coarse: bool
    """Shared by all receipts of the invoice."""
    amount: int
    list_amount: int | None
    """Before discounts, where every line says so."""
    untracked: int
    """Of the amount: usage that the provider counted and no receipt explains."""
    estimated: int
    unpriced_count: int
    invoiced_quantity: int | None
    counted_quantity: int
    named_models: str
    """Models that the lines name."""
    estimated_usd: int = 0
    """1e-9 USD."""


class Part(NamedTuple):
    """One part of the difference, invoiced minus estimated."""

    category: str
    amount: int
    evidence: str
    unit: Unit | None = None
    flagged: bool = False


def from_usd(nano_usd: int, invoice: Invoice) -> int:
    """1e-9 USD in 1e-9 of the currency of an invoice, cut off."""
    return nano_usd * _PICO // invoice.rate_pico


def classify(
    invoice: Invoice, others: Sequence[OtherLine], units: Sequence[Unit], rules: VarianceRules
) -> list[Part]:
    """All parts of the difference of one invoice; they sum to it exactly."""
    parts = [part for line in others for part in _of_line(invoice, line)]
    priced = [part for unit in units for part in _of_unit(invoice, unit, rules)]
    parts += _with_contract(priced)
    uncounted = sum(unit.estimated for unit in units) - invoice.estimated
    if abs(uncounted) > _DUST:
        parts.append(Part("provider_delta", uncounted, "receipts of models that no line names"))
    rest = invoice.total - invoice.estimated - sum(part.amount for part in parts)
    if rest:
        # Left by cutting estimates to 1e-9.
        parts.append(Part("rounding", rest, "estimates are compared in 1e-9"))
    return [part for part in parts if part.amount or part.flagged]


def _of_line(invoice: Invoice, line: OtherLine) -> Iterator[Part]:
    if line.kind == "rounding":
        largest = line.line_count * 10 ** (9 - invoice.minor_units)
        is_small = abs(line.amount) <= largest
        category = "rounding" if is_small else "unexplained"
        yield Part(category, line.amount, "the total has this beyond its lines")
    elif line.kind == "adjustment":
        yield Part("provider_delta", line.amount, "the provider adjusts an earlier charge")
    elif line.kind == "idle":
        yield Part("contract_discount", line.amount, "paid capacity that nobody used")
    elif line.kind in ("usage", "commitment"):
        yield from _without_receipts(invoice, line)
    else:
        yield Part("credits_tax", line.amount, f"{line.line_count} lines of category {line.kind}")


def _without_receipts(invoice: Invoice, line: OtherLine) -> Iterator[Part]:
    """Usage lines that found no receipt: under another account, on the way, or never captured."""
    tagged = max(0, min(line.amount, invoice.elsewhere))
    if tagged:
        yield Part(
            "tagging_failure",
            tagged,
            "no receipt of this invoice, and receipts of the provider that no invoice pays for; "
            "see [accounts] of anchor.toml",
        )
    if line.amount - tagged:
        yield _missing(invoice, line.amount - tagged, "no receipt at all for these lines")


def _missing(invoice: Invoice, amount: int, what: str, unit: Unit | None = None) -> Part:
    if invoice.late_outboxes:
        where = f"{invoice.late_outboxes} outboxes were last shipped before the month ended"
        return Part("late_receipts", amount, f"{what}; {where}", unit)
    return Part("missing_capture", amount, what, unit)


def _of_unit(invoice: Invoice, unit: Unit, rules: VarianceRules) -> Iterator[Part]:
    quantity = _quantity_effect(unit)
    if quantity > 0:
        yield _missing(invoice, quantity, "the provider counted more than the receipts", unit)
    elif quantity < 0:
        yield Part("provider_delta", quantity, "the provider counted less than the receipts", unit)
    discount = 0 if unit.list_amount is None else unit.amount - unit.list_amount
    if discount:
        yield Part("contract_discount", discount, "list price and price on the lines differ", unit)
    rest = unit.amount - quantity - discount - unit.estimated
    flagged, evidence = _check(unit, rest, rules)
    if rest or flagged:
        yield Part(_category(unit), rest, evidence, unit, flagged)


def _quantity_effect(unit: Unit) -> int:
    """What the difference of quantities costs at the invoiced unit price."""
    if unit.untracked or not unit.invoiced_quantity:
        return unit.untracked
    difference = unit.invoiced_quantity - unit.counted_quantity
    return int(Fraction(unit.amount * difference, unit.invoiced_quantity))


def _category(unit: Unit) -> str:
    if unit.is_coarse and unit.named_models:
        return "tagging_failure"
    knows_price = unit.invoiced_quantity is not None or unit.list_amount is not None
    return "price_drift" if knows_price or unit.unpriced_count else "unexplained"


def _check(unit: Unit, rest: int, rules: VarianceRules) -> tuple[bool, str]:
    """Whether the unit price or a small line is off by itself, and what tells it."""
    if unit.is_coarse and unit.named_models:
        return _is_off(unit, rest, rules), f"no receipt of {unit.named_models}: all share the line"
    if unit.unpriced_count:
        return True, f"{unit.unpriced_count} usages without a price; see unpriced_models"
    if unit.invoiced_quantity and unit.counted_quantity and unit.estimated:
        asked = Fraction(unit.amount, unit.invoiced_quantity)
        card = Fraction(unit.estimated, unit.counted_quantity)
        off = (asked - card) / card * 100
        evidence = f"unit price {_per_million(asked)} invoiced, {_per_million(card)} by the card"
        return abs(off) > Fraction(rules.price_percent), f"{evidence} ({float(off):+.1f} %)"
    return _is_off(unit, rest, rules), "the lines name no quantity to tell price from usage"


def _is_off(unit: Unit, rest: int, rules: VarianceRules) -> bool:
    if not (unit.model or unit.named_models) or abs(unit.amount) >= int(rules.floor * _NANO):
        return False
    return abs(rest) * 100 > abs(unit.amount) * Fraction(rules.line_percent)


def _with_contract(parts: Sequence[Part]) -> Iterable[Part]:
    """Price differences that are the same share everywhere are a contract, not stale prices."""
    drifts = [part for part in parts if part.category in ("price_drift", "unexplained")]
    shares = [
        Fraction(part.amount, part.unit.estimated)
        for part in drifts
        if part.unit is not None and part.unit.estimated and not part.unit.unpriced_count
    ]
    if (
        len(shares) < 2  # noqa: PLR2004 - one alone could be anything
        or len(shares) != len(drifts)
        or max(shares) >= 0
        or max(shares) - min(shares) > _SAME_SHARE
    ):
        return parts
    share = f"{float(-sum(shares) / len(shares)) * 100:.1f} %"
    evidence = f"all {len(shares)} unit prices are {share} below the card: a contract?"
    return [
        part._replace(category="contract_discount", evidence=evidence, flagged=False)
        if part in drifts
        else part
        for part in parts
    ]


def _per_million(nano_per_micro: Fraction) -> str:
    """A price in 1e-9 per 1e-6 units as dollars per million units, for people."""
    return f"{float(nano_per_micro * _MICRO * _MICRO / _NANO):.6g}/1M"
