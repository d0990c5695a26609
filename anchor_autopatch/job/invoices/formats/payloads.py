"""What is inside an invoice file: a JSON value or a table, by its first bytes."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.invoices.formats.pages import parse_json
from anchor_autopatch.job.invoices.formats.tables import Table, read_csv, read_parquet

if TYPE_CHECKING:
    from pathlib import Path

    from anchor_autopatch.job.invoices.documents import Document
    from anchor_autopatch.job.invoices.findings import Findings

__all__ = ("Payload", "read_payload")

_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"


class Payload(NamedTuple):
    """Either a table or a JSON value."""

    table: Table | None = None
    json: object = None
    """Numbers are `Number`; JSON Lines are a list."""


def read_payload(document: Document, path: Path | None, findings: Findings) -> Payload | None:
    """The content of a file, gzip or not; None, and findings, when it cannot be read."""
    content = document.payload
    if path is not None and content.startswith(_PARQUET):
        table = read_parquet(path, findings)
        return Payload(table) if table else None
    if content.startswith(_GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            findings.add(None, f"Cannot unpack the gzip: {error}; download the file again")
            return None
    text = _decode(content, findings)
    if text is None:
        return None
    if text.lstrip().startswith(("{", "[")):
        return _read_json(text, findings)
    table = read_csv(text, findings)
    return Payload(table) if table else None


def _decode(content: bytes, findings: Findings) -> str | None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        value = content[error.start]
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


def _read_json(text: str, findings: Findings) -> Payload | None:
    first = 1
    try:
        try:
            return Payload(json=parse_json(text))
        except json.JSONDecodeError as error:
            # One object on each line is what BigQuery extracts.
            if not error.msg.startswith("Extra data") or not text.lstrip().startswith("{"):
                raise
        values = []
        for first, line in enumerate(text.splitlines(), 1):  # noqa: B007 # the error names it
            if line.strip():
                values.append(parse_json(line))
        return Payload(json=values)
    except json.JSONDecodeError as error:
        row = max(first, error.lineno)
        findings.add(row, f"Not JSON: {error.msg}; save the response as it is")
    except RecursionError:
        findings.add(None, "The JSON is nested too deeply; save the response as it is")
    return None
