"""Reads the policy out of a parsed `anchor.toml`.

Forgiving: what cannot be used is left out and told as a Problem, and the rest counts. The host
ignores the problems, since a typing error must not reach the application; the job and
`anchor policy check` tell them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from anchor_autopatch.core.policy.records import (
    CONDITIONS,
    FIELDS,
    LABELS,
    MODES,
    REPORT,
    RULE_FIELDS,
    VOCABULARIES,
    Override,
    Policy,
    Problem,
    Rule,
)
from anchor_autopatch.core.policy.traffic import read_gateways, read_inbound
from anchor_autopatch.core.policy.values import Path, Reader, suggestion

_OVERRIDE_KEYS = ("mode", "until", "environment", "team", "service", "reason")
_POLICY_KEYS = ("mode", "required", "modes", "override")


def read_policy(config: Mapping[str, Any]) -> tuple[Policy, list[Problem]]:
    """The policy and what is wrong with it; never raises."""
    reader = Reader()
    table = reader.table(config, ("policy",), _POLICY_KEYS)
    policy = Policy(
        mode=reader.one_of(table, ("policy", "mode"), MODES) or REPORT,
        modes=_modes(reader, table),
        overrides=tuple(_overrides(reader, table)),
        required=_required(reader, table),
        vocabularies=_vocabularies(reader, config),
        rules=tuple(_rules(reader, config)),
        inbound=read_inbound(reader, config),
        gateways=frozenset(read_gateways(reader, config)),
        span_attributes=_span_attributes(reader, config),
        labels={field: _labels(reader, config, name) for name, field in LABELS.items()},
    )
    return policy, reader.problems


def _modes(reader: Reader, table: Mapping[str, Any]) -> dict[str, str]:
    path = ("policy", "modes")
    given = reader.table(table, path)
    modes = {name: reader.one_of(given, (*path, name), MODES) for name in given}
    return {name: mode for name, mode in modes.items() if mode is not None}


def _required(reader: Reader, table: Mapping[str, Any]) -> tuple[str, ...]:
    path = ("policy", "required")
    given = reader.texts(table.get("required", []), path)
    for place, field in given:
        if field not in FIELDS:
            reader.tell((*path, place), f"Unknown field {field!r}{suggestion(field, FIELDS)}")
    # Each once, in the order of the file: findings are told in that order.
    return tuple(dict.fromkeys(field for _, field in given if field in FIELDS))


def _overrides(reader: Reader, table: Mapping[str, Any]) -> Iterable[Override]:
    for path, given in reader.tables(table, ("policy", "override")):
        reader.unknown(path, given, _OVERRIDE_KEYS)
        mode = reader.one_of(given, (*path, "mode"), MODES)
        if "mode" not in given:
            reader.tell(path, f"An override needs a mode; known: {', '.join(MODES)}")
        until = _until(reader, given, path)
        texts = {
            name: reader.text(given[name], (*path, name))
            for name in ("environment", "team", "service", "reason")
            if name in given
        }
        if "reason" not in given:
            reader.tell(path, 'An override needs a reason; write reason = "..."')
        reason = texts.pop("reason", None)
        # A selector that cannot be read must not make the override meet more calls.
        if mode and until is not None and reason and None not in texts.values():
            yield Override(
                mode,
                until,
                texts.get("environment"),
                texts.get("team"),
                texts.get("service"),
                reason,
            )


def _until(reader: Reader, given: Mapping[str, Any], path: Path) -> int | None:
    until = given.get("until")
    if isinstance(until, date) and not isinstance(until, datetime):
        until = datetime.combine(until, time())
    if isinstance(until, datetime):
        # A TOML date-time without an offset is taken as UTC, like every instant here.
        aware = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
        return int((aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000
    text = f"{until!r} is no date on which the override ends"
    where = (*path, "until") if "until" in given else path
    reader.tell(where, f"{text}; write until = 2027-01-31 (00:00 UTC of that day)")
    return None


def _vocabularies(reader: Reader, config: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    table = reader.table(config, ("vocabulary",), tuple(VOCABULARIES))
    found = {}
    for name, field in VOCABULARIES.items():
        given = table.get(name)
        words = reader.texts(given, ("vocabulary", name)) if name in table else []
        if given == []:
            reader.tell(("vocabulary", name), "[] allows nothing; leave the line out to allow all")
        # Where a word cannot be read, the rest must not refuse the calls that it means.
        if isinstance(given, list) and words and len(words) == len(given):
            found[field] = frozenset(word for _, word in words)
    return found


def _labels(reader: Reader, config: Mapping[str, Any], name: str) -> dict[str, str]:
    table = reader.table(config, (name,))
    labels = {key: reader.text(value, (name, key)) for key, value in table.items()}
    return {key: label for key, label in labels.items() if label is not None}


def _rules(reader: Reader, config: Mapping[str, Any]) -> Iterable[Rule]:
    for path, table in reader.tables(config, ("rule",)):
        reader.unknown(path, table, (*CONDITIONS, *RULE_FIELDS))
        conditions = _texts(reader, table, path, CONDITIONS)
        fields = _texts(reader, table, path, RULE_FIELDS)
        if not conditions:
            text = f"A rule needs a condition ({', '.join(CONDITIONS)})"
            reader.tell(path, f"{text}; what holds for all calls belongs in ANCHOR_TEAM etc.")
        if not fields:
            reader.tell(path, f"A rule needs something to give ({', '.join(RULE_FIELDS)})")
        read = len(conditions) + len(fields) == len(set(table) & {*CONDITIONS, *RULE_FIELDS})
        # A condition that cannot be read must not make the rule meet more calls.
        if conditions and fields and read:
            yield Rule(conditions, fields)


def _texts(
    reader: Reader, table: Mapping[str, Any], path: Path, names: tuple[str, ...]
) -> dict[str, str]:
    read = {name: reader.text(table[name], (*path, name)) for name in names if name in table}
    return {name: text for name, text in read.items() if text is not None}


def _span_attributes(reader: Reader, config: Mapping[str, Any]) -> bool:
    table = reader.table(config, ("opentelemetry",), ("span_attributes",))
    value = table.get("span_attributes", False)
    if isinstance(value, bool):
        return value
    reader.tell(("opentelemetry", "span_attributes"), f"{value!r} is neither true nor false")
    return False
