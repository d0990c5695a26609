"""One outbox file on disk: made safely, written row by row, marked as in use by a kernel lock."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
import time
from contextlib import suppress

from anchor_autopatch.core import high_water, outbox_format, settings
from anchor_autopatch.core.outbox_format import checksum
from anchor_autopatch.host.storage import filesystems, quota

_BUSY_SECONDS = 0.01
"""Nobody else has reason to write here; if somebody holds a lock, it is not waited out."""
SEAL_BYTES = 16_000_000
SEAL_SECONDS = 3600.0
_NETWORK_SEAL_SECONDS = 300.0
"""Where the job can read a file only when it is sealed."""
_OVERFULL = 4
"""A file is given up at so many times its size: when no other may be opened."""
_MARK = high_water.FACTOR
_CREATE = (
    os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
)


class UnsafeFolderError(OSError):
    """The folder belongs to somebody else or others may write to it; the text says which."""


class FullError(OSError):
    """The file has grown as far as it may, and no other could be opened."""


_locks: set[int] = set()
"""Descriptors of the locks that this process holds."""


class OutboxFile:
    """An open outbox; `insert` commits. Raises OSError or sqlite3.Error when it cannot be made."""

    def __init__(self, folder: str, *, dropped: int = 0, reason: str | None = None) -> None:
        make_private(os.path.dirname(folder))
        make_private(folder)
        quota.expect_room(folder)
        self.folder = folder
        self.path = os.path.join(folder, _file_name())
        self._lock_fd = _take_lock(self.path.removesuffix(".db") + ".lock")
        self.sequence = 0
        self._opened = time.monotonic()
        self._network = filesystems.network_type(folder)
        self._seal_seconds = _NETWORK_SEAL_SECONDS if self._network else SEAL_SECONDS
        try:
            self._mark = high_water.map_mark(self._lock_fd)
            self._connection = _connect(self.path)
            self._writing = self._connection.cursor()
            self._execute = self._writing.execute
            self._create(dropped, reason)
            self._reading = self._stay_reading()
        except (OSError, sqlite3.Error):
            self._take_back()
            raise

    def insert(self, statement: str, row: tuple[object, ...]) -> None:
        """Commits one row under the next sequence number.

        The number is used only when the commit succeeded.
        """
        sequence = self.sequence + 1
        try:
            numbered: tuple[object, ...] = (sequence, *row)
            self._execute(statement, (*numbered, checksum(numbered)))
        except (
            ValueError,
            UnicodeEncodeError,
            OverflowError,
            sqlite3.ProgrammingError,
            sqlite3.InterfaceError,
        ):
            # A value that SQLite or the checksum cannot hold (a lone surrogate, an enum, a huge
            # integer): store what it looks like rather than lose the receipt.
            numbered = (sequence, *map(_plain, row))
            self._execute(statement, (*numbered, checksum(numbered)))
        self.sequence = sequence
        # After the commit: the mark may lag one row behind what is there, never run ahead of it.
        self._mark[0] = (sequence + 1) * _MARK

    def is_full(self) -> bool:
        """Whether it is time for the next file."""
        return self._size() >= SEAL_BYTES or time.monotonic() - self._opened >= self._seal_seconds

    def is_overfull(self) -> bool:
        """Whether this file may grow no further, even where no other can be opened."""
        return self._size() >= _OVERFULL * SEAL_BYTES

    def _size(self) -> int:
        try:
            return os.stat(self.path + "-wal").st_size
        except OSError:
            # Somebody has removed the folder: a new file is made in a new one.
            return SEAL_BYTES

    def close(self) -> None:
        """Closes the file for good; what it holds is the job's to ship."""
        try:
            # A statement that is still open would keep the connection, and its files, open.
            self._reading.close()
            self._writing.close()
            self._connection.close()
        except sqlite3.Error:
            return
        finally:
            self.let_go()

    def _take_back(self) -> None:
        # Tried again every few seconds while a disk is full: neither descriptors nor empty files
        # may pile up.
        if hasattr(self, "_connection"):
            self._writing.close()
            self._connection.close()
        self.let_go()
        for ending in (".db", ".db-wal", ".db-shm", ".lock"):
            try:
                os.unlink(self.path.removesuffix(".db") + ending)
            except OSError:
                continue

    def let_go(self) -> None:
        """Gives up the lock: the job may have the file."""
        # Once: the number may be another file's by then.
        if self._lock_fd in _locks:
            _locks.discard(self._lock_fd)
            with suppress(OSError):
                os.close(self._lock_fd)

    def _create(self, dropped: int, reason: str | None) -> None:
        execute = self._execute
        # 2 KB pages take three receipts: a commit writes 1.7 pages on average, where pages of 1 KB,
        # which take one, had to write 3 (leaf, parent, file header): 3 us less per insert, and the
        # same 3.4 KB of WAL. 4 KB pages are no faster and write 5.3 KB. Before the first page is.
        execute("PRAGMA page_size = 2048")
        durability = _durability()
        # Making the file waits for the disk three times otherwise, in the application's first call:
        # 44 ms in the median, 788 at worst, on a busy disk. It would buy nothing: unless FULL is
        # asked for, no later row waits for the disk either.
        execute(f"PRAGMA synchronous = {'FULL' if durability == 'FULL' else 'OFF'}")
        if self._network:
            # The log's index in our own memory instead of a shared mapping, which no network file
            # system keeps coherent; the job reads the file when it is sealed.
            execute("PRAGMA locking_mode = EXCLUSIVE")
        # Becoming a file with a log is itself a transaction: killed within it, a writer would leave
        # a rollback journal, which nobody may play back who opens the file only to read.
        execute("PRAGMA journal_mode = MEMORY")
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA wal_autocheckpoint = 0")
        # Pages are written once and not read again: the default keeps 2 MB of them, and each new
        # one lies in memory that is in no cache. 2 us less per insert.
        execute("PRAGMA cache_size = 24")
        execute("BEGIN")
        execute(outbox_format.CREATE_META)
        execute(outbox_format.CREATE_RECEIPT)
        execute(outbox_format.CREATE_EVENT)
        for item in _meta(dropped, reason).items():
            execute("INSERT INTO meta (key, value) VALUES (?, ?)", item)
        execute("COMMIT")
        execute(f"PRAGMA synchronous = {durability}")

    def _stay_reading(self) -> sqlite3.Cursor:
        # A statement that is never read to its end keeps this connection's read transaction open,
        # so an insert need not begin and end one: 2 system calls for locks instead of 6, 3 us less
        # (measured; `meta` has more rows than the one that `execute` fetches). It hides nothing
        # from readers, and it keeps nobody from a checkpoint that may make one: this file is
        # checkpointed only after its writer has gone.
        reading = self._connection.cursor()
        reading.execute("SELECT key FROM meta")
        return reading


def let_go_of_all() -> None:
    """Gives up the inherited locks in a forked child; the parent's own hold is not touched."""
    while _locks:
        with suppress(OSError):
            os.close(_locks.pop())


def make_private(folder: str) -> None:
    """Makes the folder with mode 0700 where it is missing.

    Raises:
        UnsafeFolderError: it is not ours, or others may write to it.
        OSError: it cannot be made.
    """
    with suppress(FileExistsError):
        os.makedirs(folder, mode=0o700)
    found = os.stat(folder)
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafeFolderError(f"{folder!r} is not a folder")
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        raise UnsafeFolderError(f"{folder!r} belongs to user {found.st_uid}, not to us")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UnsafeFolderError(f"{folder!r} is writable by others; chmod 700 it")


def _file_name() -> str:
    host = "".join(c if c.isalnum() or c == "-" else "-" for c in os.uname().nodename)[:40]
    return f"{host}-{os.getpid()}-{os.urandom(6).hex()}.db"


def _take_lock(path: str) -> int:
    # The reader asks the kernel whether this lock is held: a pid may have been given to another
    # process.
    descriptor = os.open(path, _CREATE, 0o600)
    _locks.add(descriptor)
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ImportError:
        return descriptor
    flock(descriptor, LOCK_EX | LOCK_NB)
    return descriptor


def _connect(path: str) -> sqlite3.Connection:
    # Made by us first: SQLite alone would follow a symlink and give the file the umask's mode.
    os.close(os.open(path, _CREATE, 0o600))
    return sqlite3.connect(
        path,
        isolation_level=None,
        check_same_thread=False,
        timeout=_BUSY_SECONDS,
        cached_statements=8,
    )


def _durability() -> str:
    return "FULL" if os.environ.get("ANCHOR_DURABILITY", "").lower() == "full" else "NORMAL"


def _meta(dropped: int, reason: str | None) -> dict[str, str]:
    from anchor_autopatch import __version__

    meta = {
        "outbox_id": os.urandom(16).hex(),
        "schema_version": str(outbox_format.SCHEMA_VERSION),
        "row_format": outbox_format.ROW_FORMAT,
        # A process that cannot write there falls back to another home; the job finds it by this.
        "home": settings.home(),
        "host": os.uname().nodename,
        "pid": str(os.getpid()),
        "created_at_us": str(time.time_ns() // 1000),
        "python": sys.version.partition(" ")[0],
        "anchor_version": __version__,
        "program": os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else "",
    }
    if dropped:
        meta["rows_dropped_before"] = str(dropped)
    if reason:
        meta["opened_after"] = reason
    return meta


def _plain(value: object) -> object:
    if value is None:
        return None
    if isinstance(value, int):
        number = int(value)
        return number if -(2**63) <= number < 2**63 else str(number)
    return str(value).encode("utf-8", "replace").decode("utf-8")
