"""Billing exports of clouds: months as far as they go, of which the lines of AI services land."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.invoices.currencies import minor_units
from anchor_autopatch.job.invoices.landing import Authority, Invoice, InvoiceLine, make_invoice
from anchor_autopatch.job.invoices.values import naive_utc, next_month, parse_provider

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.values import Context

__all__ = ("Charge", "LeftOut", "instant_of", "month_of", "snapshots", "tags_of")


_SHOWN = 3
"""Services that are named when rows are left out."""


class Charge(NamedTuple):
    """A line of an export, and the invoice that it belongs to."""

    provider: str
    account: str
    period: str
    """YYYY-MM in the calendar of the source."""
    line: InvoiceLine
    authority: int = Authority.COST_API


class LeftOut:
    """What an export holds beside AI services: counted and named, for a cloud bills everything."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = defaultdict(int)
        self._sums: dict[str, Decimal] = defaultdict(Decimal)

    def add(self, service: str, amount: Decimal, currency: str) -> None:
        """Notes one row."""
        self._rows[service or "unnamed"] += 1
        self._sums[currency] += amount

    def notes(self) -> tuple[str, ...]:
        """One sentence, or none where nothing was left out."""
        if not self._rows:
            return ()
        names = sorted(self._rows)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        shown = ", ".join(names[:_SHOWN]) + more
        sums = ", ".join(f"{amount.normalize():f} {code}" for code, amount in self._sums.items())
        return (f"left out: {sum(self._rows.values())} rows of other services ({shown}): {sums}",)


def snapshots(
    source: str, charges: Iterable[Charge], context: Context, findings: Findings
) -> tuple[Invoice, ...]:
    """One invoice for each provider, account and month; a later export takes its place."""
    scopes: dict[tuple[str, str, str], list[Charge]] = defaultdict(list)
    for charge in charges:
        scopes[charge.provider, charge.account, charge.period].append(charge)
    for provider in sorted({provider for provider, _, _ in scopes}):
        findings.read(None, lambda text: parse_provider(text, context), provider)
    for period in sorted({period for _, _, period in scopes}):
        _check_period(period, context, findings)
    return tuple(
        _snapshot(source, scope, found, findings) for scope, found in sorted(scopes.items())
    )


def _check_period(period: str, context: Context, findings: Findings) -> None:
    if period > f"{context.now:%Y-%m}":
        findings.add(None, f"Month {period!r} has not begun; check the clock and the export")


def _snapshot(
    source: str, scope: tuple[str, str, str], charges: list[Charge], findings: Findings
) -> Invoice:
    provider, account, period = scope
    currencies = sorted({charge.line.currency for charge in charges})
    if len(currencies) > 1:
        findings.add(
            None,
            f"Currencies {', '.join(currencies)!r} are mixed in {period}; export each by itself",
        )
    head = Invoice(
        invoice_id=":".join(filter(None, (source, provider, account, period))),
        source=source,
        authority=min(charge.authority for charge in charges),
        provider=provider,
        account=account,
        period=period,
        currency=currencies[0],
        minor_units=minor_units(currencies[0]) or 0,
        lines=(),
        snapshot=True,
    )
    return make_invoice(head, (charge.line for charge in charges))


def instant_of(text: str) -> datetime:
    """Naive UTC of an instant as exports write it: ISO 8601, or M/D/YYYY; no zone means UTC.

    Raises:
        ValueError: neither.
    """
    try:
        # DuckDB and AWS write a blank for the T and leave the zone out, which is UTC.
        instant = datetime.fromisoformat(text)
    except ValueError:
        try:
            instant = datetime.strptime(text, "%m/%d/%Y").replace(tzinfo=UTC)
        except ValueError as error:
            raise ValueError(f"Time {text!r} is not in ISO 8601; export it as it is") from error
    return naive_utc(instant) if instant.tzinfo else instant


def month_of(text: str) -> tuple[str, datetime, datetime]:
    """Period and half-open bounds (UTC) of the month that begins at, or holds, an instant.

    Raises:
        ValueError: not an instant.
    """
    start = instant_of(text).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return f"{start:%Y-%m}", start, next_month(start)


def tags_of(text: str) -> str | None:
    """Tags as a JSON object with sorted keys; None where there are none or they are no object."""
    found = text.strip()
    if found and not found.startswith("{"):
        # Azure leaves the braces out: "team": "search","env": "prod".
        found = "{" + found + "}"
    try:
        tags = json.loads(found) if found else None
    except json.JSONDecodeError:
        return None
    return json.dumps(tags, sort_keys=True) if isinstance(tags, dict) and tags else None
