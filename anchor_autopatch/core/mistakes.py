"""Takes down what a reader refuses and goes on: a section tells all its mistakes at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

from anchor_autopatch.core.errors import ConfigError

__all__ = ("ConfigMistakes", "Mistakes", "told_by")

_Part = TypeVar("_Part")
_Value = TypeVar("_Value")


class ConfigMistakes(ConfigError):  # noqa: N818 - as many as there are
    """Several values of one section cannot be used.

    Args:
        mistakes: One text each, at least two.
    """

    def __init__(self, mistakes: Collection[str]) -> None:
        first, *others = mistakes
        super().__init__(f"{first} (and {len(others)} more; anchor policy check lists them all)")
        self.mistakes = tuple(mistakes)


class Mistakes:
    """The mistakes of one section so far, in the order in which they are read."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def read(self, reader: Callable[..., _Value], *arguments: object) -> _Value | None:
        """What `reader` gives; None, and its mistakes taken down, where it refuses.

        Whatever stands in for that None is never used: `refuse` raises.
        """
        try:
            return reader(*arguments)
        except ConfigError as error:
            self._found += told_by(error)
            return None

    def each(self, parts: Iterable[_Part], reader: Callable[[_Part], _Value]) -> list[_Value]:
        """What `reader` gives of each part that it does not refuse."""
        values: list[_Value] = []
        for part in parts:
            try:
                values.append(reader(part))
            except ConfigError as error:
                self._found += told_by(error)
        return values

    def add(self, text: str) -> None:
        """Takes down one."""
        self._found.append(text)

    def known(self, given: Iterable[str], known: Collection[str], where: str) -> None:
        """Takes down each key that nobody reads."""
        self._found += (
            f"Unknown key {name!r} in {where}; known: {', '.join(known)}"
            for name in given
            if name not in known
        )

    def refuse(self) -> None:
        """Raises what was taken down, if anything was.

        Raises:
            ConfigError: one mistake.
            ConfigMistakes: several.
        """
        if len(self._found) == 1:
            raise ConfigError(self._found[0])
        if self._found:
            raise ConfigMistakes(self._found)


def told_by(error: ConfigError) -> tuple[str, ...]:
    """Every mistake that an error tells of."""
    return error.mistakes if isinstance(error, ConfigMistakes) else (str(error),)
