"""Everything that is wrong with an `anchor.toml`: what nobody can read, what contradicts itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from anchor_autopatch.core.policy.budgets import SCOPES, read_spend_policy
from anchor_autopatch.core.policy.reading import read_policy
from anchor_autopatch.core.policy.records import LABELS, VOCABULARIES, Policy, Problem
from anchor_autopatch.core.policy.values import suggestion

SECTIONS = (
    "policy",
    "vocabulary",
    "teams",
    "services",
    "rule",
    "inbound",
    "outbound",
    "opentelemetry",
    "hosts",
    "models",
    "prices",
    "accounts",
    "projects",
    "provider_keys",
    "fleet",
    "pull",
    "settlement",
    "close",
    "variance",
    "allocation",
    "retention",
    "incidents",
    "alerts",
    "budgets",
    "anomalies",
)
"""Sections that some part of this package reads; whoever reads a new one names it here."""
_TEXT_TABLES = ("hosts", "models", "accounts", "projects", "provider_keys")
_FINGERPRINT = 16


def check_config(config: Mapping[str, Any], now_us: int) -> list[Problem]:
    """All problems of the file, those of its values first.

    Args:
        config: The parsed file.
        now_us: Microseconds since 1970-01-01 UTC; overrides that have expired are told.
    """
    policy, problems = read_policy(config)
    return [
        *problems,
        *read_spend_policy(config)[1],
        *_unknown_sections(config),
        *_text_tables(config),
        *_expired(policy, config, now_us),
        *_outside_vocabulary(policy, config),
        *_key_rules(policy, config),
    ]


def _unknown_sections(config: Mapping[str, Any]) -> Iterator[Problem]:
    # A section with a typing error is read by nobody, and would do nothing without a word.
    for name in config:
        if name not in SECTIONS:
            yield Problem((name,), f"Nobody reads section {name!r}{suggestion(name, SECTIONS)}")


def _text_tables(config: Mapping[str, Any]) -> Iterator[Problem]:
    for name in _TEXT_TABLES:
        table = config.get(name, {})
        if not isinstance(table, dict):
            yield Problem((name,), f"{table!r} is no table; write [{name}] above its keys")
            continue
        for key, value in table.items():
            if not isinstance(value, str):
                yield Problem((name, key), f"{value!r} is no text; write it in quotes")


def _expired(policy: Policy, config: Mapping[str, Any], now_us: int) -> Iterator[Problem]:
    # By their reasons, not their places: an override that could not be read is not in the policy.
    ended = {each.reason for each in policy.overrides if each.until_us <= now_us}
    for place, table in enumerate(_tables(config, "policy", "override")):
        if table.get("reason") in ended:
            text = f"This override has expired ({table.get('until')}); take it out or prolong it"
            yield Problem(("policy", "override", place, "until"), text)


def _outside_vocabulary(policy: Policy, config: Mapping[str, Any]) -> Iterator[Problem]:
    """Values that the file itself uses and does not allow."""
    for path, field, value in _used_values(config):
        words = policy.vocabularies.get(field)
        if words is not None and isinstance(value, str) and value not in words:
            name = next(name for name, of in VOCABULARIES.items() if of == field)
            hint = suggestion(value, sorted(words))
            yield Problem(path, f"{value!r} is not among the {name} of [vocabulary]{hint}")


_Used = tuple[tuple[str | int, ...], str, object]


def _used_values(config: Mapping[str, Any]) -> Iterator[_Used]:
    """Path, field and value of everything in the file that names a team, a service, ..."""
    for path in (("rule",), ("policy", "override")):
        for place, table in enumerate(_tables(config, *path)):
            used = (field for field in VOCABULARIES.values() if field in table)
            yield from (((*path, place, field), field, table[field]) for field in used)
    for place, table in enumerate(_tables(config, "budgets")):
        # Nobody has a vocabulary of providers.
        named = (field for field in SCOPES if field in table and field != "provider")
        yield from ((("budgets", place, field), field, table[field]) for field in named)
    for environment in _table(config, "policy", "modes"):
        yield ("policy", "modes", environment), "environment", environment
    for name, field in LABELS.items():
        for key in _table(config, name):
            yield (name, key), field, key


def _key_rules(policy: Policy, config: Mapping[str, Any]) -> Iterator[Problem]:
    for place, rule in enumerate(_tables(config, "rule")):
        key = rule.get("api_key")
        if isinstance(key, str) and policy.rules and "*" not in key and not _is_fingerprint(key):
            # The value is not repeated: somebody may have written the key itself.
            text = (
                f"'api_key' is no fingerprint of {_FINGERPRINT} hex digits; "
                "take it from receipts.api_key_id, never the key itself"
            )
            yield Problem(("rule", place, "api_key"), text)


def _is_fingerprint(text: str) -> bool:
    return len(text) == _FINGERPRINT and set(text) <= set("0123456789abcdef")


def _table(config: Mapping[str, Any], *path: str) -> dict[str, Any]:
    found: Any = config
    for name in path:
        found = found.get(name, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}


def _tables(config: Mapping[str, Any], *path: str) -> list[dict[str, Any]]:
    found = _table(config, *path[:-1]).get(path[-1], [])
    if not isinstance(found, list):
        return []
    return [table if isinstance(table, dict) else {} for table in found]
