"""Invoice files as evidence: read once, hashed, and kept verbatim in the warehouse."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.errors import InvoiceError
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import duckdb

__all__ = ("Document", "keep_document", "read_document")


class Document(NamedTuple):
    """A file as it was read."""

    name: str
    """Path as the caller wrote it; for messages."""
    base_name: str
    payload: bytes

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the bytes."""
        return hashlib.sha256(self.payload).hexdigest()


def read_document(path: Path) -> Document:
    """The bytes of a file.

    Raises:
        InvoiceError: there is no such file, it is a folder, or it cannot be read.
    """
    try:
        return Document(str(path), path.name, path.read_bytes())
    except OSError as error:
        raise InvoiceError(
            f"Cannot read {str(path)!r}: {error.strerror}; check the path"
        ) from error


def keep_document(
    con: duckdb.DuckDBPyConnection, document: Document, kind: str, now: datetime
) -> bool:
    """Stores the payload unless it is there already; True when it was new."""
    row = con.execute(
        load("invoices")["keep_document"],
        {
            "sha256": document.sha256,
            "file_name": document.base_name,
            "format": kind,
            "byte_count": len(document.payload),
            # mtime 0: the same payload is the same bytes in every warehouse.
            "payload": gzip.compress(document.payload, mtime=0),
            "now": now,
        },
    ).fetchone()
    return row is not None
