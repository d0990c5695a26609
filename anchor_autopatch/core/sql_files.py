"""Reads named statements from .sql files: SQL text lives there, Python only names it.

A statement begins with `-- name: some_name`, then one comment line that describes it.
"""

from __future__ import annotations

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)[ \t]*\n-- (?=\S)", re.MULTILINE)


def read_statements(package: str, name: str) -> dict[str, str]:
    """Statement name -> SQL, from the file `name`.sql in `package`, in the order of the file."""
    return parse_statements(files(package).joinpath(f"{name}.sql").read_text("utf-8"))


def parse_statements(text: str) -> dict[str, str]:
    """Statement name -> SQL, description included, without the closing semicolon.

    Raises:
        ValueError: a name occurs twice, or is not followed by its description.
    """
    head, *parts = _NAME.split(text)
    names = parts[::2]
    # A name whose description is missing does not split, and its statement would be lost in the one
    # before it.
    if "-- name:" in "".join((head, *parts[1::2])):
        raise ValueError("A '-- name:' line lacks its description on the next line")
    if len(set(names)) != len(names):
        raise ValueError(f"A statement name occurs twice among {names!r}")
    return {
        name: f"-- {sql.strip().removesuffix(';')}"
        for name, sql in zip(names, parts[1::2], strict=True)
    }
