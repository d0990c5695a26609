"""Reads amount, period, provider and currency; each error names the value and the mend."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.hosts import KNOWN_PROVIDERS, UNMAPPED
from anchor_autopatch.job.invoices.currencies import minor_units

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = (
    "Context",
    "naive_utc",
    "next_month",
    "parse_amount",
    "parse_currency",
    "parse_period",
    "parse_provider",
)

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_PERIOD = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
# Weights x amounts stay within 128-bit integers below this.
_LARGEST = Decimal(10) ** 12


class Context(NamedTuple):
    """What reading an invoice file depends on, beside the file."""

    now: datetime
    """UTC without a zone, as the warehouse has it."""
    provider: str | None = None
    """For files that do not say who invoices."""
    account: str = ""
    """For files that do not say which billing account."""
    seen_providers: Collection[str] = ()
    """Providers that receipts name, beside those of the host table."""
    window: tuple[datetime, datetime] | None = None
    """Half-open UTC bounds that a file must cover and not leave; None = whatever it covers."""
    operation: str | None = None
    """For usage reports that hold nothing and so do not say what they count."""


def naive_utc(instant: datetime) -> datetime:
    """An aware instant as the warehouse has it: UTC without a zone."""
    return instant.astimezone(UTC).replace(tzinfo=None)


def parse_amount(text: str) -> Decimal:
    """An exact amount, at most 1e12 either way.

    Raises:
        ValueError: not a plain decimal number, or too large.
    """
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError(
            f"Amount {text!r} is not a number; write digits with a decimal point, such as 1234.56"
        )
    amount = Decimal(text.strip())
    if abs(amount) > _LARGEST:
        raise ValueError(f"Amount {text!r} is beyond 1000000000000; check the decimal point")
    return amount


def parse_period(text: str, now: datetime) -> datetime:
    """First instant (UTC) of a month written YYYY-MM.

    Raises:
        ValueError: not a month, or a month that has not begun.
    """
    found = _PERIOD.fullmatch(text.strip())
    if found is None or found[1] == "0000":
        raise ValueError(f"Period {text!r} is not a month; write it as YYYY-MM, such as 2026-10")
    start = datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC).replace(tzinfo=None)
    if start > now:
        raise ValueError(f"Period {text!r} has not begun; check the year and the month")
    return start


def next_month(start: datetime) -> datetime:
    """First instant of the month after the one that begins at `start`."""
    return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)


def parse_currency(text: str) -> str:
    """An ISO 4217 code in upper case.

    Raises:
        ValueError: no such currency.
    """
    code = text.strip().upper()
    if minor_units(code) is None:
        raise ValueError(f"Unknown currency {text!r}; write an ISO 4217 code, such as USD")
    return code


def parse_provider(text: str, context: Context) -> str:
    """Who invoices, by LiteLLM's name of it.

    Raises:
        ValueError: neither the host table nor any receipt knows the name.
    """
    name = text.strip()
    known = sorted((KNOWN_PROVIDERS | set(context.seen_providers)) - {UNMAPPED})
    if name in known:
        return name
    close = get_close_matches(name.lower().replace(" ", "_"), known, n=1)
    mend = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
    raise ValueError(f"Unknown provider {text!r}; {mend}")
