"""What the demo prints: chapters, lines with a time at their end, commands with their output."""

from __future__ import annotations

import io
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Number

from anchor_autopatch.cli.output import print_table

_WIDTH = 88


def chapter(number: int, title: str, *notes: str) -> None:
    """Prints a numbered heading and a few lines under it."""
    print(f"\n{number}. {title}")
    for note in notes:
        print(textwrap.indent(textwrap.fill(note, _WIDTH - 3), "   "))
    if notes:
        print()


def line(text: str = "") -> None:
    """Prints one indented line."""
    print(f"   {text}".rstrip(), flush=True)


@contextmanager
def timed(name: str, doing: str) -> Iterator[None]:
    """Prints what begins, and its seconds when it is done."""
    start = time.monotonic()
    print(f"   {name:<17} {doing:<56}", end="", flush=True)
    yield
    print(f"{time.monotonic() - start:6.1f} s", flush=True)


def output(text: str, indent: int = 5) -> None:
    """Prints what a command said, indented, without empty lines at its ends."""
    rows = [row.rstrip() for row in text.splitlines()]
    body = "\n".join(rows).strip("\n")
    if body:
        print(textwrap.indent(body, " " * indent), flush=True)


def table(columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    """Prints rows under their column names, numbers to the right."""
    first = rows[0] if rows else ()
    numbers = [
        name for name, value in zip(columns, first, strict=False) if isinstance(value, Number)
    ]
    text = io.StringIO()
    print_table("", columns, rows, right=numbers, file=text)
    print()
    output(text.getvalue(), 3)
    print()
