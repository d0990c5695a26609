"""Takes values out of a parsed `anchor.toml`, and notes what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from anchor_autopatch.core.policy.records import Problem

Path = tuple[str | int, ...]


class Reader:
    """Gathers problems while the sections are read one by one; its methods never raise."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def tell(self, path: Path, text: str) -> None:
        """Notes what is wrong with the value at `path`."""
        self.problems.append(Problem(path, text))

    def table(
        self, config: Mapping[str, Any], path: Path, known: Sequence[str] = ()
    ) -> dict[str, Any]:
        """The table at the end of `path`; {} where it is missing or none.

        Keys that are not `known` are told; () knows all.
        """
        found = config.get(str(path[-1]), {})
        if not isinstance(found, dict):
            name = ".".join(map(str, path))
            self.tell(path, f"{found!r} is no table; write [{name}] above its keys")
            return {}
        if known:
            self.unknown(path, found, known)
        return found

    def unknown(self, path: Path, table: Iterable[str], known: Sequence[str]) -> None:
        """Tells the keys of a table that nobody reads."""
        for key in table:
            if key not in known:
                self.tell((*path, key), f"Unknown key {key!r}{suggestion(key, known)}")

    def one_of(self, table: Mapping[str, Any], path: Path, known: Sequence[str]) -> str | None:
        """The value at the end of `path`, where it is one of the known words."""
        value = table.get(str(path[-1]))
        if value is None or (isinstance(value, str) and value in known):
            return value
        self.tell(path, f"{value!r} is unknown; known: {', '.join(known)}")
        return None

    def text(self, value: object, path: Path) -> str | None:
        """The value without spaces around it, where it is a text that says something."""
        if isinstance(value, str) and value.strip():
            return value.strip()
        self.tell(path, f"{value!r} is no text; write it in quotes")
        return None

    def texts(self, value: object, path: Path) -> list[tuple[int, str]]:
        """The usable texts of an array, each with its place."""
        if not isinstance(value, list):
            self.tell(path, f'{value!r} is no array; write ["...", "..."]')
            return []
        read = [(place, self.text(item, (*path, place))) for place, item in enumerate(value)]
        return [(place, item) for place, item in read if item is not None]

    def tables(
        self, config: Mapping[str, Any], path: Path
    ) -> Iterable[tuple[Path, dict[str, Any]]]:
        """The tables of an array of tables, each with its path."""
        found = config.get(str(path[-1]), [])
        if not isinstance(found, list):
            name = ".".join(map(str, path))
            self.tell(path, f"{found!r} is no array of tables; write [[{name}]] above each")
            return
        for place, table in enumerate(found):
            if isinstance(table, dict):
                yield (*path, place), table
            else:
                self.tell((*path, place), f"{table!r} is no table")


def suggestion(key: str, known: Sequence[str]) -> str:
    """The end of a message about an unknown word: the one that was meant, else all known ones."""
    # Here: the host reads policies too, and hardly any of them has a mistake to tell.
    import difflib

    close = difflib.get_close_matches(key, known, 1, 0.7)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
