"""The section `[incidents]` of `anchor.toml`: when an incident ends, and when one begins anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.durations import duration_us
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.mistakes import Mistakes
from anchor_autopatch.job.incidents.records import DAY_US, MINUTE_US

if TYPE_CHECKING:
    from collections.abc import Mapping


class IncidentRules(NamedTuple):
    """Microseconds, all of them."""

    quiet_us: int = 10 * MINUTE_US
    """Without an event for so long, at least, before it may be over."""
    reopen_us: int = DAY_US
    """A failure within this time of the end opens the same incident again."""


def read_rules(config: Mapping[str, object]) -> IncidentRules:
    """The rules of a parsed `anchor.toml`.

    Raises:
        ConfigError: a value that nobody can read, or a key that nobody reads.
    """
    table = config.get("incidents", {})
    if not isinstance(table, dict):
        raise ConfigError(f"Cannot use {table!r} for 'incidents'; expected a table [incidents]")
    wrong = Mistakes()
    wrong.known(table, _KEYS, "[incidents]")
    given = [(name, table[name]) for name in _KEYS if name in table]
    read = wrong.each(given, lambda pair: (_KEYS[pair[0]], duration_us(pair[1], _where(pair[0]))))
    wrong.refuse()
    return IncidentRules(**dict(read))


def _where(name: str) -> str:
    return f"[incidents] {name}"


_KEYS = {"quiet": "quiet_us", "reopen_within": "reopen_us"}
