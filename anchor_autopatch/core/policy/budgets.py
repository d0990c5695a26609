"""The sections `[[budgets]]` and `[anomalies]` of `anchor.toml`, read as forgivingly as the policy.

Here and not in the job, because `anchor policy check` runs where the job's packages are missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from anchor_autopatch.core.policy.records import Problem
from anchor_autopatch.core.policy.values import Path, Reader

SCOPES = ("team", "service", "environment", "provider")
"""What a budget can be about; several together mean all of them, none means everything."""
PERIODS = ("month",)
_KEYS = ("name", "amount", "currency", "period", "thresholds", *SCOPES)
_CURRENCY = re.compile(r"[A-Z]{3}")
_NAME = re.compile(r"[\w .:-]{1,64}")
_HIGHEST_PERCENT = 1000


class Budget(NamedTuple):
    """What a calendar month (UTC) may cost, and at which shares of it somebody is told."""

    name: str
    """Unique; part of the identity of its incidents."""
    amount: Decimal
    """Above 0, of `currency`."""
    currency: str
    """ISO 4217."""
    period: str = "month"
    thresholds: tuple[int, ...] = (50, 80, 100)
    """Percent of `amount`, ascending."""
    team: str | None = None
    """None = any; the same for the three below."""
    service: str | None = None
    environment: str | None = None
    provider: str | None = None


class AnomalyRules(NamedTuple):
    """From which hour of spending somebody is told."""

    minimum_usd: Decimal = Decimal(10)
    """An hour is unusual only when it costs more than this above its usual cost."""
    ratio: Decimal = Decimal(2)
    """... and more than so many times its usual cost ..."""
    deviations: Decimal = Decimal(6)
    """... and so many median absolute deviations above it."""


class SpendPolicy(NamedTuple):
    """Everything that `anchor.toml` says about spending."""

    budgets: tuple[Budget, ...] = ()
    anomalies: AnomalyRules = AnomalyRules()


def read_spend_policy(config: Mapping[str, Any]) -> tuple[SpendPolicy, list[Problem]]:
    """The budgets and rules that can be used, and what is wrong with the others; never raises."""
    reader = Reader()
    budgets = tuple(_budgets(reader, config))
    return SpendPolicy(budgets, _anomalies(reader, config)), reader.problems


def _budgets(reader: Reader, config: Mapping[str, Any]) -> Iterator[Budget]:
    names: set[str] = set()
    for path, table in reader.tables(config, ("budgets",)):
        budget = _budget(reader, table, path)
        if budget is None:
            continue
        if budget.name in names:
            # Two of one name would share their incidents, and one would hide the other.
            reader.tell(path, f"Two budgets are called {budget.name!r}; give each its own name")
            continue
        names.add(budget.name)
        yield budget


def _budget(reader: Reader, table: Mapping[str, Any], path: Path) -> Budget | None:
    """None where a value cannot be used: half a scope would watch somebody else's money."""
    before = len(reader.problems)
    reader.unknown(path, table, _KEYS)
    scope = {key: reader.text(table[key], (*path, key)) for key in SCOPES if key in table}
    amount = _amount(reader, table, path)
    budget = Budget(
        name=_name(reader, table, path, scope),
        amount=amount or Decimal(0),
        currency=_currency(reader, table, path),
        period=reader.one_of(table, (*path, "period"), PERIODS) or PERIODS[0],
        thresholds=_thresholds(reader, table, path),
        **scope,
    )
    return budget if len(reader.problems) == before else None


def _name(
    reader: Reader, table: Mapping[str, Any], path: Path, scope: Mapping[str, str | None]
) -> str:
    if "name" not in table:
        return "/".join(filter(None, scope.values())) or "total"
    name = table["name"]
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    text = f"{name!r} is no name of a budget; use up to 64 letters, digits, spaces and . : _ -"
    reader.tell((*path, "name"), text)
    return ""


def _amount(reader: Reader, table: Mapping[str, Any], path: Path) -> Decimal | None:
    if "amount" not in table:
        reader.tell(path, 'A budget needs an amount; write amount = "5000.00"')
        return None
    amount = _number(table["amount"])
    if amount is None or amount <= 0:
        text = f'{table["amount"]!r} is no amount above 0; write amount = "5000.00"'
        reader.tell((*path, "amount"), text)
        return None
    return amount


def _currency(reader: Reader, table: Mapping[str, Any], path: Path) -> str:
    currency = table.get("currency", "USD")
    if isinstance(currency, str) and _CURRENCY.fullmatch(currency):
        return currency
    text = f'{currency!r} is no currency of ISO 4217; write three capitals, such as "USD"'
    reader.tell((*path, "currency"), text)
    return ""


def _thresholds(reader: Reader, table: Mapping[str, Any], path: Path) -> tuple[int, ...]:
    given = table.get("thresholds", list(Budget._field_defaults["thresholds"]))
    good = isinstance(given, list) and all(
        isinstance(each, int) and not isinstance(each, bool) and 0 < each <= _HIGHEST_PERCENT
        for each in given
    )
    if good and given:
        return tuple(sorted(set(given)))
    text = f"{given!r} are no thresholds; write whole percents, such as [50, 80, 100]"
    reader.tell((*path, "thresholds"), text)
    return ()


def _anomalies(reader: Reader, config: Mapping[str, Any]) -> AnomalyRules:
    table = reader.table(config, ("anomalies",), AnomalyRules._fields)
    given = {}
    for key in AnomalyRules._fields:
        if key not in table:
            continue
        number = _number(table[key])
        if number is None or number < 0:
            reader.tell(("anomalies", key), f"{table[key]!r} is no number of 0 or more")
        else:
            given[key] = number
    return AnomalyRules(**given)


def _number(value: object) -> Decimal | None:
    """The exact number of an integer or a text; None for all else.

    A float of TOML is read by its shortest text, which is what was written.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
