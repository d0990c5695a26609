"""What the environment and anchor.toml say, where it cannot mean what it says."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anchor_autopatch.cli.doctor_checks.finding import NOTE, OK, PROBLEM, Finding, count
from anchor_autopatch.core import settings
from anchor_autopatch.core.config import load_config
from anchor_autopatch.core.errors import AnchorError
from anchor_autopatch.core.hosts import (
    BY_MODEL,
    KNOWN_PROVIDERS,
    SDK,
    UNMAPPED,
    parse_host_map,
)
from anchor_autopatch.core.policy.checking import check_config
from anchor_autopatch.core.signatures import KEYS_VARIABLE, read_keys

_HOSTS = "provider hosts"
_PROVIDERS = {*KNOWN_PROVIDERS, BY_MODEL, SDK}
_DURABILITY = ("", "normal", "full")


def check() -> list[Finding]:
    """Provider hosts, anchor.toml, header keys, ANCHOR_DURABILITY."""
    return [*_environment_hosts(), *_file(), *_header_keys(), *_durability()]


def _environment_hosts() -> Iterator[Finding]:
    try:
        entries = parse_host_map(os.environ.get("ANCHOR_PROVIDER_HOSTS", "")).entries
    except AnchorError as error:
        yield Finding(_HOSTS, PROBLEM, f"{error}; until then none of its entries counts")
        return
    named = ", ".join(f"{host}={provider}" for host, provider in entries.items())
    yield Finding(_HOSTS, OK, named or "only the public ones")
    for host, provider in entries.items():
        yield from _entry("ANCHOR_PROVIDER_HOSTS", host, provider)


def _file() -> Iterator[Finding]:
    path = Path(settings.config_path())
    if not path.exists():
        lost = bool(os.environ.get("ANCHOR_CONFIG"))
        text = (
            f"ANCHOR_CONFIG names {path}, which does not exist: nothing is configured; unset it or "
            "write the file"
            if lost
            else f"none at {path}"
        )
        yield Finding("anchor.toml", PROBLEM if lost else OK, text)
        return
    try:
        config = load_config(str(path))
    except AnchorError as error:
        yield Finding("anchor.toml", PROBLEM, f"{error}; until then nothing in it counts")
        return
    yield Finding("anchor.toml", OK, str(path))
    hosts = config.get("hosts", {})
    if not isinstance(hosts, dict):
        text = f'`hosts` is {hosts!r}; expected a table: [hosts], then "host" = "provider"'
        yield Finding("anchor.toml", PROBLEM, text)
        return
    for host, provider in hosts.items():
        yield from _entry("[hosts]", host, provider)
    yield from _policy(config)


def _policy(config: dict[str, Any]) -> Iterator[Finding]:
    found = check_config(config, time.time_ns() // 1000)
    # Those of the host map are told one by one.
    mistakes = [mistake for mistake in found if mistake.path[0] != "hosts"]
    if mistakes:
        where = ".".join(map(str, mistakes[0].path))
        text = f"{count(len(mistakes), 'mistake')}, the first in {where}: {mistakes[0].text}"
        yield Finding("anchor.toml", PROBLEM, f"{text}; anchor policy check lists them all")


def _header_keys() -> Iterator[Finding]:
    try:
        keys = read_keys(os.environ.get(KEYS_VARIABLE, ""))
    except AnchorError as error:
        yield Finding(KEYS_VARIABLE, PROBLEM, f"{error}; until then no signature is believed")
        return
    if keys:
        yield Finding(KEYS_VARIABLE, OK, ", ".join(keys))


def _entry(place: str, host: str, provider: object) -> Iterator[Finding]:
    """What is wrong with one entry of the host map."""
    if not isinstance(provider, str):
        text = f"{place}: {host!r} is mapped to {provider!r}; expected a provider's name in quotes"
        yield Finding(_HOSTS, PROBLEM, text)
        return
    if "/" in host:
        bare = host.partition("://")[2] or host
        text = f"{place}: {host!r} never matches; write {bare.partition('/')[0]!r}"
        yield Finding(_HOSTS, PROBLEM, text)
    close = difflib.get_close_matches(provider, _PROVIDERS - {provider}, 1, 0.8)
    if provider == UNMAPPED:
        yield Finding(
            _HOSTS, PROBLEM, f"{place}: {host!r} is mapped to {provider!r}: say who invoices"
        )
    # Only where one is close: whoever runs a model server of their own names it as they like.
    elif provider not in _PROVIDERS and close:
        text = f"{place}: {host!r} is mapped to {provider!r}; did you mean {close[0]!r}?"
        yield Finding(_HOSTS, NOTE, text)


def _durability() -> Iterator[Finding]:
    given = os.environ.get("ANCHOR_DURABILITY", "")
    if given.lower() not in _DURABILITY:
        text = f"{given!r} is taken as normal; known: normal, full"
        yield Finding("ANCHOR_DURABILITY", NOTE, text)
