"""Booked exchange rates, by which invoices in other currencies are compared with estimates in USD.

Nothing is looked up: a rate is what finance booked for the month, with the source it was read from.
A month is converted at the rate that holds on its last day, whole; without one its variance is not
known, and a finding says so. The split itself is in the currency of the invoice and needs no rate.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.invoices.values import naive_utc, parse_currency
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import duckdb

__all__ = (
    "REPORTING_CURRENCY",
    "ExchangeRate",
    "book_rate",
    "find_unconvertible",
    "rates",
    "read_rate",
)

REPORTING_CURRENCY = "USD"
"""What rate cards, and so estimates, are in."""

_RATE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,12})?")


class ExchangeRate(NamedTuple):
    """What one unit of a currency is worth from a day on."""

    currency: str
    effective_from: date
    """Inclusive."""
    effective_to: date | None
    """Exclusive; None = until another rate is booked."""
    usd_per_unit: Decimal
    source: str


def book_rate(con: duckdb.DuckDBPyConnection, new: ExchangeRate, actor: str, now: datetime) -> None:
    """Books a rate; of one day the rate that was booked last counts, all are kept.

    Raises:
        ConfigError: it would change what a frozen month was compared by.
    """
    row = {"currency": new.currency, "effective_from": new.effective_from}
    (frozen,) = con.execute(load("exchange")["frozen_after"], row).fetchone() or (None,)
    if frozen is not None:
        raise ConfigError(
            f"Period {frozen} is frozen, a rate of {new.currency} from {new.effective_from} would "
            f"change it; give a day after {frozen}, or restate the period"
        )
    row |= {"usd_per_unit": new.usd_per_unit, "source": new.source}
    con.execute(load("exchange")["book"], {**row, "actor": actor, "now": naive_utc(now)})


def read_rate(currency: str, rate: str, effective_from: str, source: str) -> ExchangeRate:
    """A rate as people type it.

    Raises:
        ConfigError: the currency, the number, the day or the source is none.
    """
    try:
        code = parse_currency(currency)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if code == REPORTING_CURRENCY:
        raise ConfigError("Estimates are in USD; book the rates of other currencies")
    if not _RATE.fullmatch(rate) or not Decimal(rate):
        raise ConfigError(
            f"Rate {rate!r} of {code} is none; write the USD for one {code}, such as 1.0842, "
            "with at most 12 decimals"
        )
    try:
        day = date.fromisoformat(effective_from)
    except ValueError as error:
        raise ConfigError(f"Day {effective_from!r} is none; write it as 2026-10-01") from error
    if not source.strip():
        raise ConfigError(f"Where is the rate of {code} from? Give --source TEXT")
    return ExchangeRate(code, day, None, Decimal(rate), source.strip())


def rates(con: duckdb.DuckDBPyConnection) -> list[ExchangeRate]:
    """The rates in force, by currency and day."""
    return [ExchangeRate(*row) for row in con.execute(load("exchange")["rates"]).fetchall()]


def find_unconvertible(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Invoices whose variance is not known for lack of a rate, one line each, with the mend."""
    for period, invoice, currency, wanted_on in con.execute(
        load("exchange")["unconvertible"]
    ).fetchall():
        yield (
            f"{period} {invoice}: no exchange rate of {currency} is booked for {wanted_on}, so its "
            f"variance is not known; anchor invoices rate add --currency {currency} "
            f"--rate USD_FOR_ONE --from {period}-01 --source TEXT"
        )
