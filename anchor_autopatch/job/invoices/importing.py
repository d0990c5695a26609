"""Imports invoice files: all of them or, with everything that is wrong told, none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.invoices import anthropic_cost, generic_csv, openai_costs
from anchor_autopatch.job.invoices.booking import Booked, book, objection
from anchor_autopatch.job.invoices.documents import Document, keep_document, read_document
from anchor_autopatch.job.invoices.findings import Findings, RefusedInvoiceError
from anchor_autopatch.job.invoices.pages import parse_json
from anchor_autopatch.job.invoices.values import Context, naive_utc
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    import duckdb

    from anchor_autopatch.job.invoices.landing import Invoice

__all__ = ("FORMATS", "import_file", "import_files")

AUTO = "auto"
_JSON_READERS: dict[str, Callable[[object, Context, Findings], list[Invoice]]] = {
    openai_costs.SOURCE: openai_costs.read_invoices,
    anthropic_cost.SOURCE: anthropic_cost.read_invoices,
}
FORMATS = (AUTO, generic_csv.SOURCE, *_JSON_READERS)


class _Read(NamedTuple):
    """One file, read but not booked yet."""

    document: Document
    source: str
    invoices: list[Invoice]
    findings: Findings


def import_file(con: duckdb.DuckDBPyConnection, path: Path, now: datetime) -> list[Booked]:
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
) -> list[Booked]:
    """Books the invoices of all files in one transaction; importing twice changes nothing.

    Args:
        con: Open warehouse.
        paths: Files to import.
        now: Aware.
        source: One of FORMATS; `auto` looks at the content.
        provider: Who invoices, for files that do not say.
        account: Billing account, for files that do not say.
        replace: Take reissued invoices in place of those with the same id.

    Raises:
        RefusedInvoiceError: a file has findings; nothing of any file was imported.
        InvoiceError: a file cannot be read.
    """
    instant = naive_utc(now)
    seen = con.execute(load("invoices")["seen_providers"]).fetchall()
    context = Context(instant, provider, account, frozenset(name for (name,) in seen))
    files = [_read_file(path, source, context) for path in paths]
    with transaction(con):
        booked = [
            entry for file in files for entry in _book_file(con, file, instant, replace=replace)
        ]
        found = [finding for file in files for finding in file.findings.in_order()]
        if found:
            # Raised within the transaction: what was booked of the good files is undone.
            raise RefusedInvoiceError(found)
    return booked


def _book_file(
    con: duckdb.DuckDBPyConnection, file: _Read, now: datetime, *, replace: bool
) -> list[Booked]:
    booked = []
    keep_document(con, file.document, file.source, now)
    for invoice in file.invoices:
        message = objection(con, invoice, replace=replace)
        if message is not None:
            file.findings.add(invoice.lines[0].row if invoice.lines else None, message)
        if file.findings:
            # Nothing will stay; the other invoices are looked at for their findings only.
            continue
        entry = book(con, invoice, file.document.sha256, now)
        if entry is not None:
            booked.append(entry)
    return booked


def _read_file(path: Path, source: str, context: Context) -> _Read:
    document = read_document(path)
    findings = Findings(document.name)
    text = _decode(document, findings)
    if text is None:
        return _Read(document, source, [], findings)
    if source == AUTO and not text.lstrip().startswith(("{", "[")):
        source = generic_csv.SOURCE
    if source == generic_csv.SOURCE:
        return _Read(document, source, generic_csv.read_invoices(text, context, findings), findings)
    return _read_json(document, text, source, context, findings)


def _decode(document: Document, findings: Findings) -> str | None:
    try:
        text = document.payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = document.payload.count(b"\n", 0, error.start) + 1
        value = document.payload[error.start]
        findings.add(row, f"Byte 0x{value:02x} is not UTF-8; save the file as UTF-8")
        return None
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        findings.add(row, "Byte 0x00 is no text; save the file as UTF-8")
        return None
    if not text.strip():
        findings.add(None, "The file is empty; download the invoice again")
        return None
    return text


def _read_json(
    document: Document, text: str, source: str, context: Context, findings: Findings
) -> _Read:
    try:
        payload = parse_json(text)
    except json.JSONDecodeError as error:
        findings.add(error.lineno, f"Not JSON: {error.msg}; save the response as it is")
        return _Read(document, source, [], findings)
    except RecursionError:
        findings.add(None, "The JSON is nested too deeply; save the response as it is")
        return _Read(document, source, [], findings)
    if source == AUTO:
        source = _json_source(payload)
    reader = _JSON_READERS.get(source)
    if reader is None:
        known = " or ".join(_JSON_READERS)
        findings.add(None, f"Unknown kind of JSON; expected {known}, or name it with --format")
        return _Read(document, source, [], findings)
    return _Read(document, source, reader(payload, context, findings), findings)


def _json_source(payload: object) -> str:
    """Which cost API wrote this, by the times of its buckets; `auto` when it shows neither."""
    pages = payload if isinstance(payload, list) else [payload]
    buckets = [
        bucket
        for page in pages
        if isinstance(page, dict) and isinstance(page.get("data"), list)
        for bucket in page["data"]
        if isinstance(bucket, dict)
    ]
    if any("start_time" in bucket for bucket in buckets):
        return openai_costs.SOURCE
    if any("starting_at" in bucket for bucket in buckets):
        return anthropic_cost.SOURCE
    return AUTO
