"""Receipts out of files: left as an outbox, so that they are shipped and proven like all others."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core import outbox_format
from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.job.clock import to_micros
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import private_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb

    from anchor_autopatch.core.records import Receipt

__all__ = ("BookedReceipts", "leave_outbox", "month_of_micros", "new_receipts")

_OUTBOX_FOLDER = "outbox"


class BookedReceipts(NamedTuple):
    """What became of the calls that one file tells of."""

    source: str
    provider: str
    account: str
    period: str
    """First and last month of the calls; the same one is written once."""
    receipts: int
    """That wait for `anchor ship`."""
    known: int
    """That the warehouse had already: from the application itself, or from an earlier import."""
    outcome: str
    """imported | unchanged."""
    note: str = ""

    @property
    def detail(self) -> str:
        """What it is, in words, after provider and period."""
        note = f"; {self.note}" if self.note else ""
        return f"receipts to ship: {self.receipts}, known already: {self.known}{note}"


def new_receipts(
    con: duckdb.DuckDBPyConnection, receipts: Sequence[Receipt]
) -> tuple[Receipt, ...]:
    """Those that the warehouse has neither from an earlier file nor from the application itself.

    The proxy answers with its own response id, which is the id that the application saw.
    """
    columns = {
        "receipt_ids": [receipt.receipt_id for receipt in receipts],
        "response_ids": [receipt.response_id for receipt in receipts],
    }
    found = con.execute(load("usage")["known_receipts"], columns).fetchall()
    known = {receipt_id for (receipt_id,) in found}
    return tuple(receipt for receipt in receipts if receipt.receipt_id not in known)


def month_of_micros(micros: int) -> str:
    """YYYY-MM of an instant, UTC."""
    return f"{datetime.fromtimestamp(micros // 1_000_000, UTC):%Y-%m}"


def leave_outbox(
    home: Path, document_sha256: str, receipts: Sequence[Receipt], now: datetime
) -> Path:
    """Writes receipts as the outbox of a writer that is gone; it appears whole or not at all.

    Args:
        home: ANCHOR_HOME.
        document_sha256: File that tells of them.
        receipts: At least one.
        now: UTC without a zone.

    Raises:
        StoreError: it cannot be written.
    """
    folder = home / _OUTBOX_FOLDER
    made_at_us = to_micros(now.replace(tzinfo=UTC))
    name = f"spend-{document_sha256[:16]}-{made_at_us:x}"
    path, made = folder / f"{name}.db", folder / f".{name}.new"
    meta = {
        "outbox_id": name,
        "schema_version": str(outbox_format.SCHEMA_VERSION),
        "pid": str(os.getpid()),
        "created_at_us": str(made_at_us),
        "program": "anchor invoices import",
    }
    try:
        with private_files():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            made.unlink(missing_ok=True)
            # The lock is held until the file stands: a shipper that comes by leaves it alone.
            with _held(folder / f"{name}.lock"):
                _write(made, meta, receipts)
                made.replace(path)
    except (OSError, sqlite3.Error) as error:
        made.unlink(missing_ok=True)
        raise StoreError(f"Cannot leave receipts in {str(path)!r}: {error}") from error
    return path


@contextmanager
def _held(lock: Path) -> Iterator[None]:
    descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, meta: dict[str, str], receipts: Sequence[Receipt]) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as con:
        con.execute("PRAGMA page_size = 1024")
        con.execute("BEGIN")
        con.execute(outbox_format.CREATE_META)
        con.execute(outbox_format.CREATE_RECEIPT)
        con.execute(outbox_format.CREATE_EVENT)
        con.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        con.executemany(
            outbox_format.INSERT_RECEIPT,
            (
                (seq, *receipt, outbox_format.row_crc(seq, receipt))
                for seq, receipt in enumerate(receipts, 1)
            ),
        )
        con.execute("COMMIT")
