"""One line of the doctor's report."""

from __future__ import annotations

from dataclasses import dataclass

OK, NOTE, PROBLEM = "ok", "note", "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one thing."""

    subject: str
    status: str
    """ok | note | problem; a problem loses money or evidence without anyone noticing."""
    text: str
    """One line: what is the case, and what to type where something is to be done."""


def count(number: int, word: str) -> str:
    """`1 row`, `1,204 rows`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"
