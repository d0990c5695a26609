"""The parser of the command line: mistakes in it are one line with the value and the mend."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.policy.values import suggestion

_LEVELS = ("command", "action", "subcommand", "rate_action")


class OneLineParser(argparse.ArgumentParser):
    """An `ArgumentParser` whose mistakes take one line; its subcommands are of the same class."""

    def error(self, message: str) -> NoReturn:
        """Exits with 2: what is wrong, and where it says what is right."""
        # Not argparse's own usage above it: in cron's mail the line with the mistake comes last.
        self.exit(2, f"anchor: {_capital(message)}; {self.prog} --help shows what it takes\n")


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """The parsed arguments.

    Raises:
        ConfigError: some of them mean nothing to the subcommand they were given to.
    """
    # parse_args() would let the outermost parser complain, whose help says nothing of the action.
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        words = ["anchor", *(getattr(parsed, level, None) for level in _LEVELS)]
        command = " ".join(filter(None, words))
        raise ConfigError(
            f"{command} knows no {' '.join(unknown)!r}; {command} --help shows what it takes"
        )
    return parsed


def expect_known(asked: str | None, known: Sequence[str]) -> None:
    """Lets a known command pass, and none at all.

    Raises:
        ConfigError: there is no such command.
    """
    if asked is not None and asked not in known:
        raise ConfigError(f"Unknown command {asked!r}{suggestion(asked, known)}")


def _capital(message: str) -> str:
    return message[:1].upper() + message[1:]
