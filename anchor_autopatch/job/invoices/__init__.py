"""Provider invoices: one module per billing source, one shape that they land in."""

from __future__ import annotations

from anchor_autopatch.job.invoices.findings import Finding, RefusedInvoiceError
from anchor_autopatch.job.invoices.importing import FORMATS, import_file, import_files
from anchor_autopatch.job.invoices.listing import ListedInvoice, list_invoices
from anchor_autopatch.job.invoices.totals import TypedTotal, add_total

__all__ = (
    "FORMATS",
    "Finding",
    "ListedInvoice",
    "RefusedInvoiceError",
    "TypedTotal",
    "add_total",
    "import_file",
    "import_files",
    "list_invoices",
)
