"""The section `[close]` of `anchor.toml`: who may do what, and what each period is for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.mistakes import Mistakes
from anchor_autopatch.job.variance.rules import OWNERS

__all__ = ("CHARGEBACK", "MODES", "SHOWBACK", "CloseRules", "read_rules")

SHOWBACK, CHARGEBACK = "showback", "chargeback"
MODES = (SHOWBACK, CHARGEBACK)
_ROLES = ("preparers", "signers", "approvers")
SETTLE_HOURS: Final = 24
"""A cost API is asked once a day."""


class CloseRules(NamedTuple):
    """Who may close, and how."""

    preparers: tuple[str, ...] = ()
    """May review a period and propose corrections to it."""
    signers: tuple[str, ...] = ()
    """May sign for a whole period, and freeze it; whoever prepared it may not."""
    approvers: tuple[str, ...] = ()
    """May approve corrections that somebody else proposed, and restate."""
    team_signers: Mapping[str, tuple[str, ...]] = {}
    """Team -> who signs for it; a team that is not named is signed for by `signers`."""
    team_threshold: Decimal | None = None
    """A team that is charged this much, in the currency of an invoice, signs for itself."""
    mode: str = SHOWBACK
    period_modes: Mapping[str, str] = {}
    """YYYY-MM -> mode, where it is another one."""
    owners: Mapping[str, str] = {}
    """Category of a variance -> who mends it, where it is not the usual one."""
    settle_hours: int = SETTLE_HOURS
    """How far apart two fetches of a cost API that agree have to be before a month is reviewed."""

    def mode_of(self, period: str) -> str:
        """What a period is for: showback or chargeback."""
        return self.period_modes.get(period, self.mode)

    def demand(self, role: str, actor: str) -> None:
        """Lets an actor pass who has the role.

        Raises:
            ConfigError: the actor has it not, or nobody has.
        """
        named: tuple[str, ...] = getattr(self, role)
        if not named:
            raise ConfigError(
                f"Nobody may do this yet; name {role} in [close] of anchor.toml, "
                f'such as {role} = ["{actor}"]'
            )
        if actor not in named:
            raise ConfigError(f"{actor!r} is none of the {role} of [close]: {', '.join(named)}")

    def demand_team(self, team: str, actor: str) -> None:
        """Lets an actor pass who may sign for the team.

        Raises:
            ConfigError: somebody else has to.
        """
        named = self.team_signers.get(team, self.signers)
        if actor not in named:
            who = ", ".join(named) or "nobody; name one in [close.team_signers]"
            raise ConfigError(f"{actor!r} does not sign for team {team!r}; who does: {who}")


def read_rules(config: Mapping[str, object]) -> CloseRules:
    """The rules of a parsed `anchor.toml`; without the section nobody may do anything.

    Raises:
        ConfigError: a value that nobody can read, or a key that nobody reads.
    """
    table, wrong = _table(config, "close", "close"), Mistakes()
    wrong.known(table, _KEYS, "[close]")
    roles = {role: wrong.read(_names, table.get(role, []), role) or () for role in _ROLES}
    given = {name: wrong.read(_table, table, name, f"close.{name}") or {} for name in _TABLES}
    rules = CloseRules(
        **roles,
        team_signers=dict(
            wrong.each(given["team_signers"].items(), lambda kv: (kv[0], _names(kv[1], kv[0])))
        ),
        team_threshold=wrong.read(_amount, table.get("team_threshold")),
        mode=wrong.read(_mode, table.get("mode", SHOWBACK), "mode") or SHOWBACK,
        period_modes=dict(
            wrong.each(given["modes"].items(), lambda kv: (_month(kv[0]), _mode(kv[1], kv[0])))
        ),
        owners=dict(
            wrong.each(given["owners"].items(), lambda kv: (_category(kv[0]), _text(kv[1], kv[0])))
        ),
        settle_hours=wrong.read(_hours, table.get("settle_hours", SETTLE_HOURS)) or 0,
    )
    wrong.refuse()
    return rules


_TABLES = ("team_signers", "modes", "owners")
_KEYS = (*_ROLES, "team_signers", "team_threshold", "mode", "modes", "owners", "settle_hours")


def _table(config: Mapping[str, object], name: str, path: str) -> Mapping[str, object]:
    found = config.get(name, {})
    if not isinstance(found, Mapping):
        raise ConfigError(f"Cannot use {found!r} for {name!r}; expected a table [{path}]")
    return found


def _names(value: object, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise ConfigError(f"Cannot use {value!r} for {key!r} in [close]; expected a list of names")
    return tuple(value)


def _text(value: object, key: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"Cannot use {value!r} for {key!r} in [close]; expected a name")
    return value


def _mode(value: object, key: str) -> str:
    if value not in MODES:
        raise ConfigError(
            f"Unknown mode {value!r} for {key!r} in [close]; known: {', '.join(MODES)}"
        )
    return str(value)


def _month(key: str) -> str:
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", key):
        raise ConfigError(
            f"Unknown month {key!r} in [close.modes]; write it as YYYY-MM, such as 2026-11"
        )
    return key


def _category(key: str) -> str:
    if key not in OWNERS:
        raise ConfigError(f"Unknown category {key!r} in [close.owners]; known: {', '.join(OWNERS)}")
    return key


def _hours(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigError(
            f"Cannot use {value!r} for 'settle_hours' in [close]; expected a whole number of "
            "hours, 0 = a month may be closed on what a cost API says now"
        )
    return value


def _amount(value: object) -> Decimal | None:
    if value is None:
        return None
    # A float of TOML is no exact amount; whole numbers and texts are.
    if isinstance(value, int | str) and not isinstance(value, bool):
        try:
            amount = Decimal(value)
        except InvalidOperation:
            amount = Decimal("NaN")
        if amount.is_finite() and amount >= 0:
            return amount
    raise ConfigError(
        f"Cannot use {value!r} for 'team_threshold' in [close]; expected an amount in quotes, "
        "such as '1000.00'"
    )
