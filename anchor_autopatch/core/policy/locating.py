"""The line of `anchor.toml` on which a key stands; the TOML parser itself does not tell."""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")

_Path = tuple[str | int, ...]


def locate(text: str, path: _Path) -> int | None:
    """The line (from 1) of the value at `path`, else of the nearest table or key around it.

    Values inside a multi-line array or text are found by the line of their key.
    """
    lines = _lines(text)
    # The nearest that has a line: a key that is missing can only be told at its table.
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


def _lines(text: str) -> dict[_Path, int]:
    """Path of every table and key -> its line, the first one where it is written twice."""
    found: dict[_Path, int] = {}
    counts: dict[_Path, int] = {}
    table: _Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header is not None:
            table = _table(_parts(header[2]), header[1] == "[[", counts)
            _note(found, table, number)
            continue
        key = _KEY.match(line)
        if key is not None:
            _note(found, (*table, *_parts(key[1])), number)
    return found


def _table(parts: _Path, in_array: bool, counts: dict[_Path, int]) -> _Path:
    # A table below an array belongs to the array's last table so far.
    path: _Path = ()
    for part in parts[:-1]:
        path = (*path, part)
        if path in counts:
            path = (*path, counts[path])
    path = (*path, parts[-1])
    if not in_array:
        return path
    counts[path] = counts.get(path, -1) + 1
    return (*path, counts[path])


def _parts(text: str) -> _Path:
    return tuple(part.strip("\"'") for part in _PART.findall(text))


def _note(found: dict[_Path, int], path: _Path, number: int) -> None:
    for length in range(1, len(path) + 1):
        found.setdefault(path[:length], number)
