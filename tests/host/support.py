"""What the host half's tests share: outboxes read back from disk, processes with the hook on."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

from anchor_autopatch.core import outbox_format
from anchor_autopatch.core.records import ExceptionEvent, Receipt
from anchor_autopatch.host import context, events, patching
from anchor_autopatch.host.capture import identity, sites, streams
from anchor_autopatch.host.storage import outbox

CHECKOUT = Path(__file__).resolve().parents[2]
HOOK = CHECKOUT / "sitecustomize_template"
EVERYTHING = 2**62
MEMORIES = {
    "manual": ("_recorded",),
    "providers.objects": ("_submitted", "_settled"),
    "providers.batch_files": ("_outputs",),
    "providers.google.objects": ("_lengths",),
    "providers.openai.agents": ("_models",),
    "providers.anthropic.agents": ("_models",),
}
"""What modules of the host half remember by the ids of a provider's objects."""


def read_outboxes(home):
    """The receipts and events of all files under `home`, oldest first; checks each file."""
    receipts, events = [], []
    for path in sorted(Path(home).glob("outbox/*.db")):
        rows = read_file(path)
        receipts += rows[0]
        events += rows[1]
    # By the id's milliseconds: within one, ids are in no order, and the file's own order stands.
    receipts.sort(key=lambda receipt: receipt.receipt_id[:13])
    events.sort(key=lambda event: event.event_id[:13])
    return receipts, events


def read_file(path):
    """The receipts and events of one file; its checksums must hold and its numbers have no gap."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA query_only = 1")
        if not connection.execute("SELECT 1 FROM sqlite_master").fetchall():
            return [], []  # another thread is making it at this moment
        receipts = _rows(connection, "receipt", Receipt._fields)
        events = _rows(connection, "exception_event", ExceptionEvent._fields)
    for seq, *record, crc in chain(receipts, events):
        assert outbox_format.row_crc(seq, tuple(record)) == crc, f"row {seq} of {path} is damaged"
    numbers = sorted(row[0] for row in chain(receipts, events))
    assert numbers == list(range(1, len(numbers) + 1)), f"{path} has gaps: {numbers}"
    return [Receipt(*row[1:-1]) for row in receipts], [ExceptionEvent(*row[1:-1]) for row in events]


def _rows(connection, table, fields):
    select = outbox_format.select_rows(table, fields)
    return connection.execute(select, (0, EVERYTHING)).fetchall()


def metadata(path):
    """The `meta` table of one file as a dict."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT key, value FROM meta"))


def bytes_of(home):
    """Everything that lies in files under `home`, write-ahead logs included."""
    return b"".join(path.read_bytes() for path in Path(home).rglob("*") if path.is_file())


def fresh_process_state():
    """Makes the hook forget what earlier tests left in this process."""
    context.forget_environment()
    sites.forget()
    streams._open.pop_all()
    identity._by_response_id.clear()
    for module, memories in MEMORIES.items():
        # Those that nobody imported remember nothing.
        loaded = sys.modules.get(f"anchor_autopatch.host.{module}")
        for memory in memories if loaded else ():
            getattr(loaded, memory).clear()
    patching._faults.clear()
    patching.off.clear()
    # Failures of earlier tests are no storm of this one's, nor rows in its home: a thread would
    # write them within five seconds.
    if events._counting is not None:
        events._counting.take_held()
        events._counting = None
    close_writer()


def close_writer():
    """Closes this process's outbox; the next row opens a file in the home of that moment."""
    writer = outbox._writers.pop(os.getpid(), None)
    if writer is None:
        return
    with writer.lock:
        # A thread of an earlier test (LiteLLM logs its failures from one) may hold this writer
        # still: it would open a file again, which nobody closes.
        writer.off = "its test is over"
    # The housekeeper's thread may be about to change the file, or to close one.
    for _ in range(6_000):
        if not writer.housekeeper.running:
            break
        time.sleep(0.01)
    if writer.file is not None:
        writer.file.close()
    writer.housekeeper.close_files()


def environment(home, *, hook=True, path=(), **variables):
    """The variables of a child process: nothing of ours or of Python's but what is given."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANCHOR_", "PYTHON", "OTEL_"))}
    folders = [str(HOOK)] * hook + [str(folder) for folder in path]
    kept |= {"PYTHONPATH": os.pathsep.join(folders)} if folders else {}
    homes = {"ANCHOR_HOME": str(home), "HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
    return kept | homes | {"PYTHONDONTWRITEBYTECODE": "1"} | variables


def run_python(
    *arguments, home, hook=True, path=(), cwd=None, timeout=600, check=True, **variables
):
    """Runs this interpreter, by default with the hook on its path; returns the finished process."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment(home, hook=hook, path=path, **variables),
        cwd=cwd or home,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done
