"""Which month of which invoice a receipt belongs to, by the calendar of the billing source.

Receipts are UTC instants. Most sources bill UTC months; Google Cloud bills months of Pacific time
(Cloud Billing export, `invoice.month`, read 2026-11), so that a call of 1 November 03:00 UTC is on
October's invoice. Months of an account are half-open and follow one another without a gap or an
overlap, also where the source of one month keeps another calendar than that of the next.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from anchor_autopatch.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = (
    "SOURCE_ZONES",
    "BillingMonth",
    "Edge",
    "Payer",
    "Scope",
    "billing_months",
    "edges_of",
    "month_start",
)

SOURCE_ZONES = {"gcp-billing": "America/Los_Angeles"}
"""Format of an invoice -> the time zone of its months; what is not named keeps UTC."""

_UTC = "UTC"
# No zone is further from UTC: a receipt belongs to its UTC month or to one beside it.
_FURTHEST = timedelta(days=1)
_NONE: Mapping[str, Mapping[str, str]] = MappingProxyType({})


class Scope(NamedTuple):
    """One control total."""

    provider: str
    account: str
    period: str
    invoice_id: str
    source: str
    """Format that its lines came in."""
    is_kept: bool
    """Whether this run leaves its period alone."""


class Payer(NamedTuple):
    """An account that receipts came from."""

    provider: str
    account: str
    first_at: datetime
    """Its first receipt; naive UTC."""
    last_at: datetime


class BillingMonth(NamedTuple):
    """Receipts of one account that are divided together."""

    provider: str
    account: str
    """Of the receipts."""
    period: str
    from_at: datetime
    """Inclusive; naive UTC."""
    to_at: datetime
    """Exclusive."""
    zone: str
    scope: Scope | None
    """The invoice that pays for them; None = none yet."""


class Edge(NamedTuple):
    """Hours of an account whose month is another one than that of UTC; naive UTC, half open."""

    provider: str
    account: str
    from_at: datetime
    to_at: datetime
    period: str
    """The month that they are billed in."""


def billing_months(
    scopes: Sequence[Scope],
    payers: Iterable[Payer],
    zones: Mapping[str, str],
    frozen_zones: Mapping[str, Mapping[str, str]] = _NONE,
) -> list[BillingMonth]:
    """Every month of every payer, in order; kept periods included.

    Args:
        scopes: Control totals of all periods.
        payers: Accounts that receipts came from.
        zones: Provider -> time zone of its months, where no invoice says so by its format.
        frozen_zones: The same for periods that were divided by other zones than these, and are
            frozen so.

    Raises:
        ConfigError: this machine does not know a time zone.
    """
    by_month: dict[tuple[str, str], list[Scope]] = defaultdict(list)
    for scope in scopes:
        by_month[scope.provider, scope.period].append(scope)
    told = {scope: _zone_of(scope, frozen_zones.get(scope.period, zones)) for scope in scopes}
    return [month for payer in payers for month in _months_of(payer, by_month, zones, told)]


def edges_of(months: Iterable[BillingMonth]) -> list[Edge]:
    """What each month has before the UTC month of its name begins, and after that has ended."""
    edges = []
    for month in months:
        start, end = month_start(month.period, _UTC), month_start(_next(month.period), _UTC)
        for from_at, to_at in (
            (month.from_at, min(start, month.to_at)),
            (max(end, month.from_at), month.to_at),
        ):
            if from_at < to_at:
                edges.append(Edge(month.provider, month.account, from_at, to_at, month.period))
    return edges


def month_start(period: str, zone: str) -> datetime:
    """The first instant of a month (YYYY-MM) in a time zone, as naive UTC.

    Raises:
        ConfigError: this machine does not know the time zone.
    """
    first = datetime.strptime(period, "%Y-%m")  # noqa: DTZ007 # the zone comes next
    if zone == _UTC:
        return first
    try:
        local = first.replace(tzinfo=ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(
            f"This machine has no time zone {zone!r}; expected a name of the IANA data base, "
            "or: pip install tzdata"
        ) from error
    return local.astimezone(UTC).replace(tzinfo=None)


def _months_of(
    payer: Payer,
    by_month: Mapping[tuple[str, str], list[Scope]],
    zones: Mapping[str, str],
    zone_of: Mapping[Scope, str],
) -> Iterator[BillingMonth]:
    periods = list(_periods(payer.first_at - _FURTHEST, payer.last_at + _FURTHEST))
    chosen = {p: _payer_of(payer, by_month.get((payer.provider, p), [])) for p in periods}
    told = {p: zone_of[scope] for p, scope in chosen.items() if scope}
    # A month without an invoice is counted as the account's latest invoice was.
    usual = told[max(told)] if told else zones.get(payer.provider, _UTC)
    start = month_start(periods[0], told.get(periods[0], usual))
    for period in periods:
        after = _next(period)
        # Where an invoice ends, the next month begins, whatever calendar that one keeps.
        end = month_start(after, told.get(period) or told.get(after, usual))
        scope = chosen[period]
        zone = told.get(period, usual)
        yield BillingMonth(*payer[:2], period, start, end, zone, scope)
        start = end


def _payer_of(payer: Payer, scopes: Sequence[Scope]) -> Scope | None:
    """The account's own invoice, else the provider's without account, else its only one."""
    by_account = {scope.account: scope for scope in scopes}
    if payer.account in by_account or "" in by_account:
        return by_account.get(payer.account) or by_account[""]
    return scopes[0] if not payer.account and len(scopes) == 1 else None


def _zone_of(scope: Scope, zones: Mapping[str, str]) -> str:
    return SOURCE_ZONES.get(scope.source) or zones.get(scope.provider, _UTC)


def _periods(first_at: datetime, last_at: datetime) -> Iterator[str]:
    period, last = f"{first_at:%Y-%m}", f"{last_at:%Y-%m}"
    while period <= last:
        yield period
        period = _next(period)


def _next(period: str) -> str:
    year, month = map(int, period.split("-"))
    return f"{year + month // 12:04}-{month % 12 + 1:02}"
