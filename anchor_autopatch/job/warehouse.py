"""Opens the warehouse: one DuckDB file that belongs to the job alone."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING

import duckdb

from anchor_autopatch.core.crash_points import reached
from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.core.settings import WAREHOUSE_FILE
from anchor_autopatch.job.migration import apply_scripts
from anchor_autopatch.job.sql import load, schema_scripts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Extensions need the network; what the job uses (json, icu, parquet) is inside the wheel.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def open_warehouse(home: Path) -> duckdb.DuckDBPyConnection:
    """A connection to `home`/warehouse.duckdb with the present schema, session time zone UTC.

    The folder (0700) and the file (0600) are made when they are not there.

    Raises:
        StoreError: the file is locked by another process, is no DuckDB file, or cannot be made.
    """
    path = home / WAREHOUSE_FILE
    with private_files():
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                _create(path)
            con = duckdb.connect(str(path), config=_CONFIG)
        except OSError as error:
            raise StoreError(_no_access(home, error)) from error
        except duckdb.Error as error:
            raise StoreError(_explain(path, error)) from error
        # Whatever TZ says: in a session of New York every day's groups moved, and the total still
        # looked right.
        con.execute(load("warehouse")["session_time_zone"])
        _apply_schema(con)
    return con


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commits what the block did, or nothing of it when the block raises."""
    con.begin()
    try:
        yield
        reached("transaction.done")
    except BaseException:
        # A failed commit or a closed connection has no transaction left to undo.
        with suppress(duckdb.Error):
            con.rollback()
        raise
    con.commit()
    reached("transaction.committed")


@contextmanager
def frugal(con: duckdb.DuckDBPyConnection, limit: str) -> Iterator[None]:
    """Lets DuckDB put on the disk what does not fit into `limit` (as "768MB"), within the block."""
    sql = load("warehouse")
    try:
        con.execute(sql["limit_memory"], {"limit": limit})
        yield
    finally:
        con.execute(sql["lift_memory_limit"])


@contextmanager
def private_files() -> Iterator[None]:
    """Makes new files 0600 and new folders 0700 within the block; DuckDB obeys only the umask."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _apply_schema(con: duckdb.DuckDBPyConnection) -> None:
    # Only when it changed: applying takes 0.1 s, and a side-car opens the file every few seconds.
    sql, scripts = load("warehouse"), schema_scripts()
    digest = sha256("".join(scripts).encode()).hexdigest()
    con.execute(sql["create_schema_state"])
    if con.execute(sql["schema_state"]).fetchone() == (digest,):
        return
    with transaction(con):
        apply_scripts(con, scripts)
        con.execute(sql["forget_schema_state"])
        con.execute(sql["note_schema_state"], {"digest": digest})


def _create(path: Path) -> None:
    # Under another name first: a process killed here must not leave half a warehouse behind.
    made = path.with_name(f".{path.name}.{os.getpid()}")
    made.unlink(missing_ok=True)
    with duckdb.connect(config=_CONFIG) as con:
        con.execute(load("warehouse")["create_file"], {"path": str(made)})
    made.replace(path)


def _no_access(home: Path, error: OSError) -> str:
    return f"Cannot use {str(home)!r} as ANCHOR_HOME: {error.strerror}; check its permissions"


def _explain(path: Path, error: duckdb.Error) -> str:
    first_line = str(error).strip().splitlines()[0]
    # By its words: DuckDB has one class of errors for a lock and for a file that is not there.
    if "lock" in first_line.lower():
        return (
            f"{str(path)!r} is in use by another process; "
            "wait for it to end, and query report.duckdb instead"
        )
    return f"Cannot open {str(path)!r} as a warehouse: {first_line}"
