"""Documents that invoices came in: the bytes that are kept are the bytes that were imported."""

from __future__ import annotations

import gzip
import zlib
from hashlib import sha256
from typing import TYPE_CHECKING

from anchor_autopatch.job.sql import load
from anchor_autopatch.job.verify.link import Link

if TYPE_CHECKING:
    import duckdb


def check_documents(con: duckdb.DuckDBPyConnection) -> Link:
    """Unpacks every document and compares its SHA-256 and its length."""
    found = con.execute(load("verify/sums")["documents"])
    count, faults = 0, []
    while row := found.fetchone():
        count += 1
        faults += _faults(*row)
    return Link("documents", f"{count} documents are as they were imported", tuple(faults))


def _faults(file_name: str, digest: str, byte_count: int, payload: bytes) -> list[str]:
    try:
        text = gzip.decompress(payload)
    except (OSError, EOFError, zlib.error) as error:
        return [f"document {file_name!r} ({digest}) cannot be unpacked: {error}"]
    if sha256(text).hexdigest() != digest or len(text) != byte_count:
        return [f"document {file_name!r} is not the one that was imported as {digest}"]
    return []
