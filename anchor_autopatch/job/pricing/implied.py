"""Holds the unit price that an invoice line implies against the rate card of its days.

A line says an amount and a quantity, so it says a price. Where no rate of the model and meter comes
near it, the list is stale, or a contract is not entered: the one check of prices that needs neither
receipts nor a threshold in dollars.
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

__all__ = ("CardRate", "Drift", "InvoicedUnit", "find_drifts", "judge")

_STANDARD: Final = "standard"
_MILLION: Final = 1_000_000
_PER_SECOND: Final = 1000
_LITTLE: Final = Decimal("0.001")
_SHORT: Final = Context(prec=6)
"""Digits that are told: amounts are rounded to cents, so more would be noise."""


class InvoicedUnit(NamedTuple):
    """What one invoice charges for one model, meter and tier in one span of time; USD."""

    provider: str
    period: str
    invoice_id: str
    model: str
    meter: str
    """In the words of `invoices/meters.py`."""
    tier: str
    """Empty = the line names none."""
    period_start: datetime
    quantity: Decimal
    amount: Decimal

    @property
    def unit_usd(self) -> Decimal:
        """The price that it implies."""
        return self.amount / self.quantity


class CardRate(NamedTuple):
    """A unit price of the model and meter that held in those days; USD."""

    is_contract: bool
    tier: str
    unit_usd: Decimal


class Drift(NamedTuple):
    """A line whose price no card has."""

    unit: InvoicedUnit
    card_usd: Decimal
    """The nearest price of the card."""

    @property
    def percent(self) -> Decimal:
        """Of the card's price; positive = invoiced dearer."""
        return (self.unit.unit_usd / self.card_usd - 1) * 100


def find_drifts(
    con: duckdb.DuckDBPyConnection,
    now: datetime,
    percent: Decimal,
    models: Mapping[str, str] = NO_MODELS,
) -> Iterator[str]:
    """One line for each price of an open invoice that is more than `percent` off every card."""
    seen = set()
    for unit, rates in _invoiced(con, now, models):
        drift = judge(unit, rates, percent)
        # Lines of one bill differ by day and project; the price is one thing to look at.
        named = unit[:6]
        if drift is not None and named not in seen:
            seen.add(named)
            yield _sentence(drift)


def judge(unit: InvoicedUnit, rates: Sequence[CardRate], percent: Decimal) -> Drift | None:
    """The drift of a line, or None where a card explains its price; pure.

    A line may add up calls of several brackets, hours and days: what lies between the lowest and
    the highest rate of its tier is explained. So is the very price of another tier, where the line
    names none.
    """
    agreed = [rate for rate in rates if rate.is_contract] or rates
    wanted = unit.tier or _STANDARD
    own = [rate.unit_usd for rate in agreed if rate.tier == wanted]
    own = own or [rate.unit_usd for rate in agreed if rate.tier == _STANDARD]
    if not own:
        return None
    asked, share = unit.unit_usd, percent / 100
    if min(own) * (1 - share) <= asked <= max(own) * (1 + share):
        return None
    others = [] if unit.tier else [rate.unit_usd for rate in agreed]
    if any(abs(asked - usd) <= usd * share for usd in others):
        return None
    nearest = min(own, key=lambda usd: abs(asked - usd))
    # What the card has for free has no share by which it could be off.
    return Drift(unit, nearest) if nearest else None


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


def _sentence(drift: Drift) -> str:
    unit = drift.unit
    terms = (TERM_OF_METER.get(meter) for meter in COVERED_METERS[unit.meter])
    flag = next((term.replace("_", "-") for term in terms if term), "input")
    tier = f" ({unit.tier})" if unit.tier else ""
    return (
        f"{unit.provider} {unit.period} {unit.invoice_id}: {unit.meter} of {unit.model!r}{tier} is "
        f"invoiced at {_price(unit.unit_usd)} USD, the card of those days says "
        f"{_price(drift.card_usd)} ({drift.percent:+.1f} %); if that is a contract: anchor prices "
        f"set {unit.model} --provider {unit.provider} --{flag} {_price(unit.unit_usd)} "
        f"--from {unit.period_start:%Y-%m-%d} --reason TEXT, else anchor prices sync"
    )


def _price(unit_usd: Decimal) -> str:
    """As `anchor prices set` reads it: by the million where one costs next to nothing."""
    by_million = unit_usd < _LITTLE
    amount = _SHORT.plus(unit_usd * _MILLION if by_million else unit_usd).normalize()
    return f"{amount:f}/1M" if by_million else f"{amount:f}"
