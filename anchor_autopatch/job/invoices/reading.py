"""What every billing source is to the import: a name, a look at the content, a reader."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from anchor_autopatch.core.records import Receipt
from anchor_autopatch.job.invoices.documents import Document
from anchor_autopatch.job.invoices.findings import Findings
from anchor_autopatch.job.invoices.formats.payloads import Payload
from anchor_autopatch.job.invoices.landing import Invoice
from anchor_autopatch.job.invoices.values import Context

__all__ = ("Landed", "ReadFile", "Source", "UsageReport", "UsageRow")


class UsageRow(NamedTuple):
    """What a provider counted itself, of one meter in one bucket of time."""

    period_start: datetime
    """UTC, inclusive."""
    period_end: datetime
    """UTC, exclusive."""
    model_raw: str
    meter: str
    """In the words of `meters.py`."""
    quantity: Decimal
    """Single tokens or units."""
    project: str | None = None
    api_key: str | None = None
    tier: str | None = None


class UsageReport(NamedTuple):
    """A usage report of one operation and one month: no money, but evidence of what was used."""

    source: str
    operation: str
    """What the report counts, such as completions; reports of other operations stand beside it."""
    provider: str
    account: str
    period: str
    """YYYY-MM."""
    days: tuple[tuple[datetime, datetime], ...]
    """Half-open UTC buckets that it speaks of; later reports restate them."""
    rows: tuple[UsageRow, ...]


class Landed(NamedTuple):
    """What one file says."""

    invoices: tuple[Invoice, ...] = ()
    usage: tuple[UsageReport, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    """Calls that a gateway logged; they carry no money."""
    notes: tuple[str, ...] = ()
    """What was left out of the file, and why; for the person who imports it."""


class Source(NamedTuple):
    """One billing source."""

    name: str
    """As `--format` has it."""
    recognises: Callable[[Payload], bool]
    """Whether a payload looks like one of this source."""
    read: Callable[[Payload, Context, Findings], Landed]
    """Reads it; of no use when anything is in the findings."""


class ReadFile(NamedTuple):
    """One file, read but not booked yet."""

    document: Document
    source: str
    landed: Landed
    findings: Findings
