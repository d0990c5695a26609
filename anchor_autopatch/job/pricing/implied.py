"""Holds the unit price that an invoice line implies against the rate card of its days.

A line says an amount and a quantity, so it says a price. Where no rate of the model and meter comes
near it, the list is stale, or a contract is not entered: the one check of prices that needs neither
receipts nor a threshold in dollars. Every such price is kept in `implied_unit_price`; those that
no card explains are findings.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Context, Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from anchor_autopatch.job.invoices.meters import COVERED_METERS
from anchor_autopatch.job.pricing.prices import NO_MODELS, resolve_asked
from anchor_autopatch.job.rates.terms import TERM_OF_METER
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import duckdb

__all__ = ("CardRate", "ImpliedPrice", "InvoicedUnit", "find_drifts", "hold_against_cards", "judge")

_STANDARD: Final = "standard"
_BATCH: Final = "batch"
"""What a line that names no tier may add up with standard calls: both go by the model's name."""
_MILLION: Final = 1_000_000
_PER_SECOND: Final = 1000
_LITTLE: Final = Decimal("0.001")
_PRICE_SCALE: Final = Decimal("1e-18")
_RATIO_SCALE: Final = Decimal("1e-6")
_WIDE: Final = Context(prec=38)
"""As many digits as the columns have: a line of one unit may ask for any amount."""
_SHORT: Final = Context(prec=6)
"""Digits that are told: amounts are rounded to cents, so more would be noise."""


class InvoicedUnit(NamedTuple):
    """What one invoice charges for one model, meter and tier in one span of time; USD."""

    provider: str
    account: str
    period: str
    invoice_id: str
    model: str
    meter: str
    """In the words of `invoices/meters.py`."""
    tier: str
    """Empty = the line names none."""
    period_start: datetime
    period_end: datetime
    quantity: Decimal
    amount: Decimal
    is_told: bool = False
    """A variance of its invoice names this price already."""

    @property
    def unit_usd(self) -> Decimal:
        """The price that it implies."""
        return self.amount / self.quantity


class CardRate(NamedTuple):
    """A unit price of the model and meter that held in those days; USD."""

    is_contract: bool
    tier: str
    unit_usd: Decimal


class ImpliedPrice(NamedTuple):
    """What a line implies, beside what the cards of its days say."""

    unit: InvoicedUnit
    card_usd: Decimal | None
    """The nearest rate of its tier (none named: standard), or that of another tier which it is;
    None = no card has one."""
    flagged: bool
    """No card explains the price."""

    @property
    def ratio(self) -> Decimal | None:
        """Invoiced over the card's price; None where there is none to divide by."""
        return self.unit.unit_usd / self.card_usd if self.card_usd else None


def hold_against_cards(
    con: duckdb.DuckDBPyConnection,
    now: datetime,
    percent: Decimal,
    models: Mapping[str, str] = NO_MODELS,
) -> list[ImpliedPrice]:
    """Judges every unit price of the open invoices and keeps it; rows of frozen periods stay.

    A price is flagged that is more than `percent` off every card of its days.
    """
    judged = [judge(unit, rates, percent) for unit, rates in _invoiced(con, now, models)]
    with transaction(con):
        con.execute(load("pricing/implied")["forget_implied"])
        with con.appender("implied_unit_price") as appender:
            appender.append_rows([_row(price) for price in judged])
    return judged


def find_drifts(judged: Iterable[ImpliedPrice]) -> Iterator[str]:
    """One line for each price that no card explains, unless a variance tells of it."""
    seen = set()
    for price in judged:
        # Lines of one bill differ by day and project; the price is one thing to look at.
        named = price.unit[:7]
        if price.flagged and not price.unit.is_told and named not in seen:
            seen.add(named)
            yield _sentence(price)


def judge(unit: InvoicedUnit, rates: Sequence[CardRate], percent: Decimal) -> ImpliedPrice:
    """Whether a card explains the price of a line; pure.

    A line may add up calls of several brackets, hours and days: what lies between the lowest and
    the highest rate of its tier is explained. One that names no tier may add up batches and other
    calls, too; the very price of a further tier explains it as well.
    """
    agreed = [rate for rate in rates if rate.is_contract] or rates
    own = _of_tier(agreed, unit.tier or _STANDARD) or _of_tier(agreed, _STANDARD)
    if not own:
        return ImpliedPrice(unit, None, False)
    asked, share = unit.unit_usd, percent / 100
    others = own if unit.tier else [rate.unit_usd for rate in agreed]
    same = [usd for usd in others if abs(asked - usd) <= usd * share]
    if same:
        return ImpliedPrice(unit, _nearest(same, asked), False)
    mixed = own if unit.tier else [*own, *_of_tier(agreed, _BATCH)]
    between = min(mixed) * (1 - share) <= asked <= max(mixed) * (1 + share)
    # Told beside the tier that is meant, not beside a batch price that happens to be nearer.
    card = _nearest(own, asked)
    # What the card has for free has no share by which it could be off.
    return ImpliedPrice(unit, card, bool(card) and not between)


def _of_tier(rates: Iterable[CardRate], tier: str) -> list[Decimal]:
    return [rate.unit_usd for rate in rates if rate.tier == tier]


def _nearest(prices: Iterable[Decimal], asked: Decimal) -> Decimal:
    # Of two that are as near the lower one, so that two runs tell the same.
    return min(prices, key=lambda usd: (abs(asked - usd), usd))


def _invoiced(
    con: duckdb.DuckDBPyConnection, now: datetime, models: Mapping[str, str]
) -> list[tuple[InvoicedUnit, list[CardRate]]]:
    sql = load("pricing/implied")
    with transaction(con):
        con.execute(sql["collect_invoiced"])
        con.execute(sql["ask_names"])
        resolve_asked(con, now, models)
        found = con.execute(sql["invoiced_rates"])
        names = [column[0] for column in found.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        con.execute(sql["drop_invoiced"])
        con.execute(load("pricing/prices")["drop_work"])
    grouped = groupby(rows, key=lambda row: InvoicedUnit(*(row[f] for f in InvoicedUnit._fields)))
    return [(unit, [*_rates(unit.meter, of_unit)]) for unit, of_unit in grouped]


def _rates(meter: str, rows: Iterable[Mapping[str, Any]]) -> Iterator[CardRate]:
    for row in rows:
        for covered in COVERED_METERS.get(meter, ()):
            column, factor = _column(covered)
            usd = row.get(column)
            if usd is not None:
                yield CardRate(row["is_contract"], row["card_tier"], usd * factor)


def _column(meter: str) -> tuple[str, int]:
    """The column of `rate` that prices a meter, and how many of its units make one."""
    if meter.endswith("_seconds"):
        return f"{meter.removesuffix('_seconds')}_ms_usd", _PER_SECOND
    return ("searches_medium_usd" if meter == "searches" else f"{meter}_usd"), 1


def _row(price: ImpliedPrice) -> tuple[object, ...]:
    """One row of `implied_unit_price`; prices to 18 decimals, the ratio to 6, half to even."""
    ratio = price.ratio
    return (
        *price.unit[:9],
        price.unit.quantity,
        price.unit.amount,
        price.unit.unit_usd.quantize(_PRICE_SCALE, context=_WIDE),
        price.card_usd,
        None if ratio is None else ratio.quantize(_RATIO_SCALE, context=_WIDE),
        price.flagged,
    )


def _sentence(price: ImpliedPrice) -> str:
    unit = price.unit
    terms = (TERM_OF_METER.get(meter) for meter in COVERED_METERS[unit.meter])
    flag = next((term.replace("_", "-") for term in terms if term), "input")
    tier = f" ({unit.tier})" if unit.tier else ""
    card, ratio = price.card_usd or Decimal(0), price.ratio or Decimal(0)
    return (
        f"{unit.provider} {unit.period} {unit.invoice_id}: {unit.meter} of {unit.model!r}{tier} is "
        f"invoiced at {_price(unit.unit_usd)} USD, the card of those days says "
        f"{_price(card)} ({(ratio - 1) * 100:+.1f} %); if that is a contract: anchor prices "
        f"set {unit.model} --provider {unit.provider} --{flag} {_price(unit.unit_usd)} "
        f"--from {unit.period_start:%Y-%m-%d} --reason TEXT, else anchor prices sync"
    )


def _price(unit_usd: Decimal) -> str:
    """As `anchor prices set` reads it: by the million where one costs next to nothing."""
    by_million = unit_usd < _LITTLE
    amount = _SHORT.plus(unit_usd * _MILLION if by_million else unit_usd).normalize()
    return f"{amount:f}/1M" if by_million else f"{amount:f}"
