"""The rules of `anchor.toml`: route, call site, task, host or key of a call give it its fields."""

from __future__ import annotations

from typing import NamedTuple

from anchor_autopatch.core.policy.records import Rule

_MEMO_LIMIT = 4_096


class Circumstances(NamedTuple):
    """What rules can look at; None where it is unknown, which meets no condition."""

    method: str | None
    route: str | None
    task: str | None
    call_site: str | None
    host: str | None
    """host[:port]"""
    api_key: str | None
    """Salted fingerprint."""


class Rules:
    """All rules of a policy, ready to be asked at every call."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = [(_conditions(rule), dict(rule.fields)) for rule in rules]
        self._memo: dict[Circumstances, dict[str, str]] = {}
        looked_at = {name for rule in rules for name in rule.conditions}
        self.look_at_site = not looked_at.isdisjoint(("host", "api_key"))
        """Whether some rule needs the place that a call goes to."""
        self._given_by_site = {
            field
            for rule in rules
            if not {"host", "api_key"}.isdisjoint(rule.conditions)
            for field in rule.fields
        }

    def may_give(self, field: str) -> bool:
        """Whether a rule could give this field once the call's host and key are known."""
        return field in self._given_by_site

    def fields_for(self, circumstances: Circumstances) -> dict[str, str]:
        """The fields that rules give here; of two rules for one field the earlier one counts."""
        found = self._memo.get(circumstances)
        if found is None:
            if len(self._memo) >= _MEMO_LIMIT:
                self._memo.clear()
            found = self._memo[circumstances] = self._work_out(circumstances)
        return found

    def _work_out(self, circumstances: Circumstances) -> dict[str, str]:
        found: dict[str, str] = {}
        for conditions, fields in self._rules:
            if all(_is_met(name, pattern, circumstances) for name, pattern in conditions):
                found = {**fields, **found}
        return found


_Pattern = tuple[str, ...]
"""The texts between the stars, which stand for anything."""


def _conditions(rule: Rule) -> list[tuple[str, _Pattern]]:
    return [(name, _pattern(name, text)) for name, text in rule.conditions.items()]


def _pattern(name: str, text: str) -> _Pattern:
    # Host names are compared as they are sent, in lower case; everything else as it is written.
    return tuple((text.lower() if name == "host" else text).split("*"))


def _is_met(name: str, pattern: _Pattern, here: Circumstances) -> bool:
    if name == "route":
        return any(_matches(pattern, form) for form in (here.route, _with_method(here)))
    if name == "host":
        bare = here.host.rpartition(":")[0] if here.host and ":" in here.host else None
        return any(_matches(pattern, form) for form in (here.host, bare))
    return _matches(pattern, getattr(here, name))


def _with_method(here: Circumstances) -> str | None:
    return f"{here.method} {here.route}" if here.method and here.route else None


def _matches(pattern: _Pattern, value: str | None) -> bool:
    """Whether the texts of the pattern stand in the value in their order, the outer at its ends.

    No regular expression: with many stars one would take time beyond all bounds.
    """
    if value is None:
        return False
    first, *rest = pattern
    if not rest:
        return value == first
    *inner, last = rest
    if not value.startswith(first):
        return False
    place = len(first)
    for part in inner:
        place = value.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return len(value) - len(last) >= place and value.endswith(last)
