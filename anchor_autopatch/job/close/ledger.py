"""The ledger: double entry, append-only, each transaction sums to zero.

Freezing a period books each invoice against the applications. What changes later is never written
over: the old booking is reversed and the right one booked, as two linked transactions.
"""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.job.chain import LEDGER, append
from anchor_autopatch.job.invoices.values import naive_utc
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import duckdb

__all__ = ("App", "Booking", "Posting", "book_period", "journal", "post", "rebook", "standing")

_HELD = {
    "__unallocated": "Unallocated",
    "__untracked": "Untracked",
    "__idle": "Idle",
    "__rounding": "Rounding",
}


class App(NamedTuple):
    """Whom money is booked to, on one invoice."""

    provider: str
    provider_account: str
    invoice_id: str
    currency: str
    team: str | None
    service: str | None
    environment: str | None

    @property
    def account(self) -> str:
        """Name of the expense account."""
        held = _HELD.get(self.service or "") if self.team is None else None
        return f"Expense:{held}" if held else f"Expense:App:{self.service or '__unattributed'}"

    @property
    def invoice(self) -> tuple[str, str, str, str]:
        """Provider, account, invoice and currency: what a transaction is about."""
        return self[:4]


class Booking(NamedTuple):
    """An amount of an application; debit positive."""

    app: App
    amount: Decimal


class Posting(NamedTuple):
    """What the entries of a transaction share."""

    kind: str
    """allocation | reversal | correction."""
    period: str
    posted_period: str
    mode: str
    actor: str
    reason: str
    now: datetime


def book_period(con: duckdb.DuckDBPyConnection, posting: Posting) -> None:
    """Books every invoice of a period as it is divided now; what was booked before is reversed.

    In the caller's transaction. A restated period is reversed whole and booked anew.
    """
    before = standing(con, posting.period)
    wanted = [
        Booking(App(*row[:7]), row[7])
        for row in con.execute(load("ledger")["bookings"], {"period": posting.period}).fetchall()
    ]
    for invoice, bookings in _by_invoice(before):
        reversal = posting._replace(kind="reversal")
        post(con, reversal, _negated(bookings), ref_txn_id=_origin(con, posting.period, invoice))
    for invoice, bookings in _by_invoice(wanted):
        post(con, posting, bookings, ref_txn_id=_origin(con, posting.period, invoice))


def rebook(
    con: duckdb.DuckDBPyConnection,
    posting: Posting,
    booked: Sequence[Booking],
    right: Sequence[Booking],
) -> None:
    """Reverses what is booked and books what is right, invoice by invoice, two transactions each.

    Raises:
        StoreError: the two do not sum to the same; an invoice does not change by a correction.
    """
    rights = dict(_by_invoice(right))
    for invoice, bookings in _by_invoice(booked):
        if _total(bookings) != _total(rights.get(invoice, [])):
            raise StoreError(
                f"A correction of invoice {invoice[2]!r} must keep its sum {_total(bookings)}, "
                f"not make it {_total(rights.get(invoice, []))}"
            )
        origin = _origin(con, posting.period, invoice)
        reversal = posting._replace(kind="reversal")
        reversed_by = post(con, reversal, _negated(bookings), ref_txn_id=origin)
        post(con, posting, rights[invoice], ref_txn_id=reversed_by or origin)


def post(
    con: duckdb.DuckDBPyConnection,
    posting: Posting,
    bookings: Sequence[Booking],
    *,
    ref_txn_id: str | None = None,
) -> str | None:
    """Books amounts of one invoice against its provider; returns the transaction, None for nothing.

    Raises:
        StoreError: amounts of several invoices in one transaction.
    """
    lines = [booking for booking in bookings if booking.amount]
    if not lines:
        return None
    if len({booking.app.invoice for booking in lines}) != 1:
        raise StoreError("A transaction of the ledger is about one invoice; please report this")
    row = con.execute(load("ledger")["transaction_count"]).fetchone() or (0,)
    txn_id = f"{posting.posted_period}-{row[0] + 1:06d}"
    shared = posting._asdict() | {
        "txn_id": txn_id,
        "ref_txn_id": ref_txn_id,
        "created_at": naive_utc(posting.now),
    }
    first = lines[0].app
    owed = first._asdict() | {"team": None, "service": None, "environment": None}
    entries = [
        {**shared, **app._asdict(), "account": app.account, "amount": amount}
        for app, amount in lines
    ]
    account = f"Liabilities:Provider:{first.provider}"
    entries.append({**shared, **owed, "account": account, "amount": -_total(lines)})
    append(con, LEDGER, entries)
    return txn_id


def standing(con: duckdb.DuckDBPyConnection, period: str) -> list[Booking]:
    """What the ledger holds for a period, by invoice and application, corrections included."""
    rows = con.execute(load("ledger")["standing"], {"period": period}).fetchall()
    return [Booking(App(*row[:7]), row[7]) for row in rows]


_JOURNAL = (
    *("entry_no", "transaction", "kind", "posting_period", "service_period", "account", "provider"),
    *("provider_account", "invoice", "team", "service", "environment", "debit", "credit"),
    *("currency", "reverses_or_rebooks", "posted_by", "reason", "posted_at", "hash"),
)


def journal(
    con: duckdb.DuckDBPyConnection, period: str | None = None, *, with_showback: bool = False
) -> str:
    """The journal of a posting period, or of all, as CSV for an ERP: debit and credit apart.

    Showback periods are for information and left out unless asked for.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_JOURNAL)
    asked = {"period": period, "with_showback": with_showback}
    for row in con.execute(load("ledger")["journal"], asked).fetchall():
        amount = row[12]
        debit, credit = (_plain(amount), "") if amount > 0 else ("", _plain(-amount))
        rows.writerow([*row[:12], debit, credit, *row[13:17], f"{row[17].isoformat()}Z", row[18]])
    return text.getvalue()


def _plain(amount: Decimal) -> str:
    text = f"{amount:f}".rstrip("0")
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals:0<2}"


_Invoice = tuple[str, str, str, str]


def _by_invoice(bookings: Iterable[Booking]) -> list[tuple[_Invoice, list[Booking]]]:
    ordered = sorted(bookings, key=lambda booking: booking.app.invoice)
    return [
        (invoice, list(group))
        for invoice, group in groupby(ordered, key=lambda booking: booking.app.invoice)
    ]


def _negated(bookings: Iterable[Booking]) -> list[Booking]:
    return [Booking(app, -amount) for app, amount in bookings]


def _total(bookings: Iterable[Booking]) -> Decimal:
    return sum((booking.amount for booking in bookings), Decimal(0))


def _origin(con: duckdb.DuckDBPyConnection, period: str, invoice: _Invoice) -> str | None:
    asked = {"period": period, "invoice_id": invoice[2]}
    row = con.execute(load("ledger")["origin"], asked).fetchone()
    return str(row[0]) if row and row[0] is not None else None
