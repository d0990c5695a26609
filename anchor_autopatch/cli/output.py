"""What commands print.

A table for people, JSON for programs, a progress bar for long work on a terminal.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from importlib.util import find_spec
from typing import Any, TextIO

Row = Sequence[object]
_READABLE = 6
"""Characters of a folded column that can still be read."""
_PADDING = 3
"""Characters that a table puts around a column."""


def print_json(value: object) -> None:
    """Prints a value as indented JSON; Decimals as strings (exact), instants in ISO 8601."""
    print(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def _plain(value: object) -> str:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Row],
    *,
    right: Iterable[str] = (),
    file: TextIO | None = None,
) -> None:
    """Prints rows under their column names; on a terminal that is too narrow one below the other.

    The columns named in `right` are right-aligned numbers.
    """
    texts = [[cell(value) for value in row] for row in rows]
    out = file or sys.stdout
    terminal = shutil.get_terminal_size().columns if out.isatty() else None
    made: Iterable[str]
    if terminal is not None and _least_width(columns, texts) > terminal:
        made = _records(title, columns, texts)
    elif find_spec("rich"):
        made = _rich_table(title, columns, texts, set(right), out)
    else:
        made = _plain_table(title, columns, texts, set(right))
    # A row is padded to the width of the table: in a file or a mail that is only noise.
    print("\n".join(line.rstrip() for line in made), file=out)


def cell(value: object) -> str:
    """A value as people read it: instants in UTC to the second, amounts without an exponent."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _least_width(columns: Sequence[str], rows: list[list[str]]) -> int:
    """Characters below which folding leaves a column of single letters, padding included."""
    widths = (max(map(len, column)) for column in zip(columns, *rows, strict=True))
    return sum(min(width, _READABLE) + _PADDING for width in widths)


def _records(title: str, columns: Sequence[str], rows: list[list[str]]) -> Iterator[str]:
    """Each row as a paragraph, with the name of the column before each value."""
    width = max(map(len, columns))
    yield title
    for row in rows:
        yield ""
        for name, text in zip(columns, row, strict=True):
            yield f"  {name.ljust(width)}  {text}"
    yield ""


def _rich_table(
    title: str, columns: Sequence[str], rows: list[list[str]], right: set[str], file: TextIO
) -> list[str]:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Text, not markup: an invoice may be called "typed:gemini:2026-10", and :gemini: is an emoji.
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD)
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        # Text, not markup: a service may be called "[red]".
        table.add_row(*(Text(cell) for cell in row))
    # A pipe or a log file has no width of its own; a table must not be cut there.
    console = Console(file=file, width=None if file.isatty() else 200)
    # Not printed by rich: it ends the process with 1, findings, when the reader has left.
    with console.capture() as captured:
        console.print(table)
    return captured.get().splitlines()


def _plain_table(
    title: str, columns: Sequence[str], rows: list[list[str]], right: set[str]
) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(
            text.rjust(width) if name in right else text.ljust(width)
            for name, text, width in zip(columns, cells, widths, strict=True)
        )

    yield from ("", title, line(columns), line(["-" * width for width in widths]))
    yield from map(line, rows)


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Any]:
    """Yields `advance(n)`; draws a bar on a terminal only, so that cron mail stays empty.

    None either where rich is not installed: an application's environment has the base install.
    """
    if not (sys.stderr.isatty() and find_spec("rich")):
        yield lambda _count=1: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda count=1: bar.advance(task, count)
