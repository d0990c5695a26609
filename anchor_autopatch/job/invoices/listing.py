"""What invoices are in force, and which is the control total of its provider, account, period."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.invoices.landing import exact
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

__all__ = ("ListedInvoice", "list_invoices")


class ListedInvoice(NamedTuple):
    """One invoice in force."""

    invoice_id: str
    source: str
    provider: str
    account: str
    period: str
    total: Decimal
    currency: str
    lines: int
    is_control_total: bool
    is_breakdown: bool
    residual: Decimal
    """What the breakdown leaves of the control total; on the control total's own row."""
    document_sha256: str | None
    imported_at: datetime


def list_invoices(con: duckdb.DuckDBPyConnection) -> list[ListedInvoice]:
    """Invoices in force by period, provider and account; the control total comes first."""
    rows = con.execute(load("invoices")["list_invoices"]).fetchall()
    return [_listed(*row) for row in rows]


def _listed(minor_units: int, *row: object) -> ListedInvoice:
    listed = ListedInvoice(*row)  # type: ignore[arg-type] # the columns are in the order of the fields
    return listed._replace(total=exact(listed.total, Decimal(1).scaleb(-minor_units)))
