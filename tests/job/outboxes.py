"""Makes real outbox files in the real format, as a process of an application leaves them."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import contextmanager

from anchor_autopatch.core import outbox_format
from anchor_autopatch.core.records import ExceptionEvent, Receipt

START_US = 1_790_000_000_000_000
"""2026-09-21T14:13:20Z, the first request of every test."""


def receipt(number=1, **fields):
    """A plain chat receipt; `number` makes its id and its instant (one second apart)."""
    plain = dict.fromkeys(Receipt._fields) | {
        "receipt_id": f"receipt-{number:06d}",
        "occurred_at_us": START_US + number * 1_000_000,
        "duration_us": 250_000,
        "team": "search",
        "service": "chatbot",
        "environment": "production",
        "attribution_source": '{"team": "environment", "service": "environment"}',
        "provider": "openai",
        "provider_host": "api.openai.com",
        "api_key_id": "key-1",
        "sdk": "openai",
        "operation": "chat",
        "request_model": "gpt-4o",
        "response_model": "gpt-4o-2024-08-06",
        "response_id": f"chatcmpl-{number}",
        "outcome": "ok",
        "http_status": 200,
        "stream": 0,
        "attempts": 1,
        "usage_source": "provider",
        "usage_shape": "openai.chat",
        "raw_usage": '{"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}',
        "billable": 1,
    }
    return Receipt(**plain | fields)


def event(number=1, **fields):
    """A rate-limit event; ids and instants as for `receipt`."""
    plain = dict.fromkeys(ExceptionEvent._fields) | {
        "event_id": f"event-{number:06d}",
        "occurred_at_us": START_US + number * 1_000_000,
        "event_class": "rate_limited",
        "provider": "openai",
        "dependency": "api.openai.com",
        "http_status": 429,
        "exception_type": "RateLimitError",
        "message": "Too many requests",
        "retried": 0,
        "occurrences": 1,
        "service": "chatbot",
    }
    return ExceptionEvent(**plain | fields)


class Outbox:
    """A writer: holds the kernel lock until `die`, commits every record by itself."""

    def __init__(self, home, name="writer", meta=None):
        folder = home / "outbox"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / f"{name}.db"
        self.lock = os.open(folder / f"{name}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.seq = 0
        self.con = sqlite3.connect(self.path, isolation_level=None)
        self.con.execute("PRAGMA page_size = 1024")
        self.con.execute("PRAGMA journal_mode = WAL")
        self.con.execute("PRAGMA wal_autocheckpoint = 0")
        self.con.execute(outbox_format.CREATE_META)
        self.con.execute(outbox_format.CREATE_RECEIPT)
        self.con.execute(outbox_format.CREATE_EVENT)
        plain = {
            "outbox_id": f"id-of-{name}",
            "schema_version": str(outbox_format.SCHEMA_VERSION),
            "host": "laptop",
            "pid": str(os.getpid()),
            "created_at_us": str(START_US),
            "python": "3.11.7",
            "anchor_version": "0.1.0",
            "program": "app.py",
        }
        self.con.executemany("INSERT INTO meta VALUES (?, ?)", (plain | (meta or {})).items())

    def write(self, *records):
        """Commits records under the next numbers."""
        for record in records:
            is_receipt = isinstance(record, Receipt)
            insert = outbox_format.INSERT_RECEIPT if is_receipt else outbox_format.INSERT_EVENT
            self.seq += 1
            crc = outbox_format.row_crc(self.seq, record)
            self.con.execute(insert, (self.seq, *record, crc))
        return self

    def write_many(self, count):
        """Commits `count` receipts in one transaction; numbers go on."""
        self.con.execute("BEGIN")
        self.write(*(receipt(self.seq + number) for number in range(1, count + 1)))
        self.con.execute("COMMIT")
        return self

    def run(self, sql, *parameters):
        """Tampers with the file, as rot or a bug would."""
        self.con.execute(sql, parameters)
        return self

    def die(self, checkpoint=False):
        """Ends the writer as SIGKILL does: the WAL stays; or cleanly, with a checkpoint."""
        if checkpoint:
            self.con.close()
        else:
            self._leave_wal()
        os.close(self.lock)
        return self.path

    def _leave_wal(self):
        # Closing the last connection would checkpoint; a reader with a snapshot prevents it.
        wal = self.path.with_name(f"{self.path.name}-wal")
        main, log = self.path.read_bytes(), wal.read_bytes()
        self.con.close()
        self.path.write_bytes(main)
        wal.write_bytes(log)
        wal.chmod(0o600)


@contextmanager
def living(home, name="writer", meta=None):
    """A writer that lives for the length of the block."""
    outbox = Outbox(home, name, meta)
    try:
        yield outbox
    finally:
        outbox.die(checkpoint=True)


def left_behind(home, *records, name="writer", meta=None):
    """The file of a writer that wrote these records and is gone."""
    return Outbox(home, name, meta).write(*records).die()
