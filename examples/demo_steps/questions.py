"""The questions of `examples/queries.sql`, one by one."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import NamedTuple

QUERIES = Path(__file__).resolve().parents[1] / "queries.sql"


class Question(NamedTuple):
    """What is asked, in words and in SQL."""

    text: str
    sql: str

    def indented(self) -> str:
        """The SQL as it is shown on the screen."""
        return textwrap.indent(self.sql, " " * 7)


def read_questions() -> list[Question]:
    """The questions in the order of the file; the first comment of it is its title."""
    parts = QUERIES.read_text(encoding="utf-8").split("\n\n")[1:]
    return [_question(part) for part in parts if part.strip()]


def _question(part: str) -> Question:
    comment, _, sql = part.strip().partition("\n")
    return Question(comment.removeprefix("-- "), sql)
