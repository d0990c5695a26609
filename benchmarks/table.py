"""How comparisons are printed: as a table for the terminal, and as Markdown for the docs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import Comparison

_HEAD = ("what", "bare", "hooked", "added", "+-", "ratio", "bar", "")
_WIDTHS = (12, 10, 10, 7, 8, 14, 8)
_BEGIN, _END = "<!-- the table: begin -->\n", "<!-- the table: end -->\n"


def show(result: Comparison) -> Comparison:
    """Prints one row and hands the comparison on."""
    what, *figures = _row(result)
    widths = _WIDTHS
    columns = "".join(f"{text:>{width}}" for text, width in zip(figures, widths, strict=True))
    print(f"{what:46}{columns}", flush=True)
    return result


def head() -> None:
    """Prints the names of the columns."""
    what, *names = _HEAD
    widths = _WIDTHS
    print(f"{what:46}" + "".join(f"{n:>{w}}" for n, w in zip(names, widths, strict=True)))


def write(results: Sequence[Comparison], page: Path, said: str) -> None:
    """Puts the rows, as Markdown, in the place of those that the page holds."""
    lines = [said, "", " | ".join(_HEAD), " | ".join(["---"] + ["---:"] * 5 + ["---"] * 2)]
    lines += [" | ".join(_row(result)) for result in results]
    table = "\n".join([*lines[:2], *(f"| {line} |" for line in lines[2:])])
    before, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    page.write_text(f"{before}{_BEGIN}{table}\n{_END}{after}", encoding="utf-8")


def _row(result: Comparison) -> tuple[str, ...]:
    bare, hooked = statistics.median(result.bare), statistics.median(result.hooked)
    return (
        result.name,
        f"{bare:.1f} {result.unit}",
        f"{hooked:.1f}",
        f"{result.added:+.2f}",
        f"{result.uncertain:.2f}",
        f"{result.ratio:.3f}x",
        result.bar,
        result.verdict,
    )
