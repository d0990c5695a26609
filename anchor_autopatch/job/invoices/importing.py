"""Imports invoice files: all of them or, with everything that is wrong told, none."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from anchor_autopatch.core.errors import InvoiceError
from anchor_autopatch.job.invoices.assembling import assemble
from anchor_autopatch.job.invoices.booking import Booked, book, objection
from anchor_autopatch.job.invoices.documents import Document, keep_document, read_document
from anchor_autopatch.job.invoices.findings import Findings, RefusedInvoiceError
from anchor_autopatch.job.invoices.formats.payloads import Payload, read_payload
from anchor_autopatch.job.invoices.landing import exact
from anchor_autopatch.job.invoices.reading import Landed, ReadFile, Source
from anchor_autopatch.job.invoices.receipts import (
    BookedReceipts,
    leave_outbox,
    month_of_micros,
    new_receipts,
)
from anchor_autopatch.job.invoices.sources import SOURCES
from anchor_autopatch.job.invoices.usage import BookedUsage, book_usage
from anchor_autopatch.job.invoices.values import Context, naive_utc, next_month, parse_period
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    import duckdb

    from anchor_autopatch.job.invoices.landing import Invoice

__all__ = ("FORMATS", "book_files", "import_file", "import_files", "read_file")

AUTO = "auto"
_SHOWN = 3
"""Descriptions that a note quotes."""
_INSTANT = timedelta(microseconds=1)
Entry: TypeAlias = Booked | BookedUsage | BookedReceipts
FORMATS = (AUTO, *SOURCES)


def import_file(con: duckdb.DuckDBPyConnection, path: Path, now: datetime) -> list[Entry]:
    """Imports one file of whatever known format; see `import_files`."""
    return import_files(con, [path], now)


def import_files(  # noqa: PLR0913
    con: duckdb.DuckDBPyConnection,
    paths: Sequence[Path],
    now: datetime,
    *,
    source: str = AUTO,
    provider: str | None = None,
    account: str = "",
    replace: bool = False,
    home: Path | None = None,
    period: str | None = None,
    advance: Callable[[], object] = lambda: None,
) -> list[Entry]:
    """Books what all files say in one transaction; importing twice changes nothing.

    Args:
        con: Open warehouse.
        paths: Files to import.
        now: Aware.
        source: One of FORMATS; `auto` looks at the content.
        provider: Who invoices, for files that do not say.
        account: Billing account, for files that do not say.
        replace: Take reissued invoices in place of those with the same id, and older exports again.
        home: Where receipts of a gateway's log are left for `anchor ship`.
        period: YYYY-MM that has ended: files must cover all its days and no others.
        advance: Called after each file that was read, for a progress bar.

    Raises:
        RefusedInvoiceError: a file has findings; nothing of any file was imported.
        InvoiceError: a file cannot be read, or the period has not ended.
    """
    instant = naive_utc(now)
    seen = con.execute(load("invoices")["seen_providers"]).fetchall()
    window = _window(period, instant) if period else None
    names = frozenset(name for (name,) in seen)
    context = Context(instant, provider, account, names, window)
    files = []
    for path in paths:
        files.append(read_file(path, source, context))
        advance()
    return book_files(con, files, instant, replace=replace, home=home)


def _window(period: str, now: datetime) -> tuple[datetime, datetime]:
    try:
        start = parse_period(period, now)
    except ValueError as error:
        raise InvoiceError(str(error)) from error
    end = next_month(start)
    if end > now:
        raise InvoiceError(
            f"Period {period!r} has not ended, so no file covers it; import without --period"
        )
    return start, end


def book_files(
    con: duckdb.DuckDBPyConnection,
    files: Sequence[ReadFile],
    now: datetime,
    *,
    replace: bool = False,
    home: Path | None = None,
) -> list[Entry]:
    """Books files that were read, all of them or none, in one transaction.

    Args:
        con: Open warehouse.
        files: What is imported together; see `assemble`.
        now: UTC without a zone.
        replace: As for `import_files`.
        home: As for `import_files`.

    Raises:
        RefusedInvoiceError: a file has findings; nothing of any file was booked.
    """
    files = assemble(files)
    with transaction(con):
        booked = [entry for file in files for entry in _book_file(con, file, now, replace=replace)]
        # Raised within the transaction: what was booked of the good files is undone.
        _refuse(files)
        # Last of all: an outbox that stands is shipped, whatever is rolled back after it.
        booked += [entry for file in files for entry in _book_receipts(con, file, now, home)]
        _refuse(files)
    return booked


def _refuse(files: Sequence[ReadFile]) -> None:
    found = [finding for file in files for finding in file.findings.in_order()]
    if found:
        raise RefusedInvoiceError(found)


def _book_file(
    con: duckdb.DuckDBPyConnection, file: ReadFile, now: datetime, *, replace: bool
) -> list[Entry]:
    booked: list[Entry] = []
    digest = file.document.sha256
    keep_document(con, file.document, file.source, now)
    for invoice in file.landed.invoices:
        message = objection(con, invoice, replace=replace)
        if message is None and not replace:
            message = _outdated(con, invoice, digest)
        if message is not None:
            file.findings.add(invoice.lines[0].row if invoice.lines else None, message)
        if file.findings:
            # Nothing will stay; the other invoices are looked at for their findings only.
            continue
        entry = book(con, invoice, digest, now)
        if entry is not None:
            notes = (*file.landed.notes, *_unmatched_note(invoice))
            booked.append(entry._replace(note="; ".join(notes)))
    return booked + _book_usage(con, file, now)


def _unmatched_note(invoice: Invoice) -> tuple[str, ...]:
    # Descriptions are free text, which changes: a new one must neither stop an import nor hide.
    lines = invoice.unmatched
    if not lines:
        return ()
    amount = exact(sum((line.amount for line in lines), Decimal(0)), Decimal("0.01"))
    texts = sorted({line.description or "" for line in lines})[:_SHOWN]
    shown = ", ".join(map(repr, texts))
    return (
        f"no model or meter is known for {len(lines)} lines, {amount} {invoice.currency}: {shown}",
    )


def _book_usage(con: duckdb.DuckDBPyConnection, file: ReadFile, now: datetime) -> list[Entry]:
    frozen = {period for (period,) in con.execute(load("invoices")["frozen_periods"]).fetchall()}
    for report in file.landed.usage:
        if report.period in frozen:
            file.findings.add(None, f"Period {report.period!r} is closed; its usage counts no more")
    if file.findings:
        return []
    return [book_usage(con, report, file.document.sha256, now) for report in file.landed.usage]


def _book_receipts(
    con: duckdb.DuckDBPyConnection, file: ReadFile, now: datetime, home: Path | None
) -> list[Entry]:
    told = file.landed.receipts
    if not told:
        return []
    if home is None:
        file.findings.add(None, "Receipts need a home to be shipped from; import by the command")
        return []
    receipts = new_receipts(con, told)
    if receipts:
        leave_outbox(home, file.document.sha256, receipts, now)
    months = sorted({month_of_micros(receipt.occurred_at_us) for receipt in told})
    return [
        BookedReceipts(
            file.source,
            "gateway",
            "",
            "..".join(dict.fromkeys((months[0], months[-1]))),
            len(receipts),
            len(told) - len(receipts),
            "imported" if receipts else "unchanged",
            "; ".join(file.landed.notes),
        )
    ]


def _outdated(con: duckdb.DuckDBPyConnection, invoice: Invoice, digest: str) -> str | None:
    known = {"invoice_id": invoice.invoice_id, "document_sha256": digest}
    if con.execute(load("invoices")["outdated"], known).fetchone() != (True,):
        return None
    return (
        f"The file was imported before, and {invoice.invoice_id!r} was restated since; "
        "import the newest export, or go back to this one with --replace"
    )


def read_file(path: Path, source: str, context: Context) -> ReadFile:
    """What a file says, not booked yet; its findings tell whether it can be.

    Raises:
        InvoiceError: it cannot be read at all.
    """
    return read_content(read_document(path), source, context, path)


def read_content(
    document: Document, source: str, context: Context, path: Path | None = None
) -> ReadFile:
    """What a document says; its path is needed for Parquet only."""
    findings = Findings(document.name)
    payload = read_payload(document, path, findings)
    if payload is None:
        return ReadFile(document, source, Landed(), findings)
    chosen = SOURCES.get(source) or _recognised(payload)
    if chosen is None:
        names = ", ".join(SOURCES)
        findings.add(None, f"Unknown kind of JSON; name its format with --format: {names}")
        return ReadFile(document, source, Landed(), findings)
    landed = chosen.read(payload, context, findings)
    if context.window:
        _check_months(landed, context.window, findings)
    return ReadFile(document, chosen.name, landed, findings)


def _check_months(landed: Landed, window: tuple[datetime, datetime], findings: Findings) -> None:
    first, last = f"{window[0]:%Y-%m}", f"{window[1] - _INSTANT:%Y-%m}"
    found = {invoice.period for invoice in landed.invoices}
    for period in sorted(found | {report.period for report in landed.usage}):
        if not first <= period <= last:
            findings.add(None, f"The file holds {period}, asked for was {first}; take that month's")


def _recognised(payload: Payload) -> Source | None:
    return next((source for source in SOURCES.values() if source.recognises(payload)), None)
