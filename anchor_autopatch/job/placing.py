"""Puts a file in its place when it is whole: no reader ever sees half of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from anchor_autopatch.core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ("placed",)


@contextmanager
def placed(path: Path) -> Iterator[Path]:
    """Yields the path to write to, beside `path`; renames it when the block ends well.

    Raises:
        StoreError: `path` is a folder or a device, its folder is not there, or it cannot be
            written; what was at `path` stays.
    """
    _expect_place(path)
    # A link keeps its place: what is renamed over it would take it away.
    target = path.resolve()
    made = target.with_name(f".{target.name}.new")
    try:
        yield made
        made.replace(target)
    except (OSError, duckdb.Error) as error:
        reason = str(error).strip().partition("\n")[0]
        raise StoreError(f"Cannot write {str(path)!r}: {reason}") from error
    finally:
        made.unlink(missing_ok=True)


def _expect_place(path: Path) -> None:
    # Renaming over /dev/stdout would take it from every process of the machine.
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "no file"
        raise StoreError(f"Cannot write {str(path)!r}: it is {what}; name a file")
    if not path.parent.is_dir():
        raise StoreError(f"Cannot write {str(path)!r}: there is no folder {str(path.parent)!r}")
