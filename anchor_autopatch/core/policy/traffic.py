"""Reads `[inbound]` and `[outbound]`: whose headers are believed, and who gets ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from anchor_autopatch.core.hosts import known_provider
from anchor_autopatch.core.policy.records import PLACES, Inbound
from anchor_autopatch.core.policy.values import Reader

_INBOUND_KEYS = ("trusted_networks", "max_age_seconds", "user_id", "request_id_header")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?\Z")
_MAX_AGE = 86_400


def read_inbound(reader: Reader, config: Mapping[str, Any]) -> Inbound:
    """Section `[inbound]`."""
    table = reader.table(config, ("inbound",), _INBOUND_KEYS)
    return Inbound(
        tuple(_networks(reader, table)),
        _max_age(reader, table),
        _user_id(reader, table),
        _request_id_header(reader, table),
    )


def _networks(reader: Reader, table: Mapping[str, Any]) -> Iterable[str]:
    path = ("inbound", "trusted_networks")
    given = reader.texts(table.get("trusted_networks", []), path)
    if not given:
        return
    # Here: the host reads the policy as well, and most policies name no network.
    from ipaddress import ip_network

    for place, network in given:
        try:
            yield network if network == "unix" else str(ip_network(network))
        except ValueError as error:
            text = f"{network!r} is no network ({error}); write it like '10.0.0.0/8' or 'unix'"
            reader.tell((*path, place), text)


def _max_age(reader: Reader, table: Mapping[str, Any]) -> int:
    default = Inbound().max_age_seconds
    age = table.get("max_age_seconds", default)
    # `true` is an int in Python.
    if isinstance(age, int) and not isinstance(age, bool) and 0 < age <= _MAX_AGE:
        return age
    text = f"{age!r} is no whole number from 1 to {_MAX_AGE}"
    reader.tell(("inbound", "max_age_seconds"), text)
    return default


def _user_id(reader: Reader, table: Mapping[str, Any]) -> tuple[str, str] | None:
    if "user_id" not in table:
        return None
    path = ("inbound", "user_id")
    value = reader.text(table["user_id"], path)
    if value is None:
        return None
    place, _, name = value.partition(":")
    if place in PLACES and name:
        return (place, name.lower() if place == "header" else name)
    text = f"{value!r} names no place; write 'place:name', the place one of {', '.join(PLACES)}"
    reader.tell(path, text)
    return None


def _request_id_header(reader: Reader, table: Mapping[str, Any]) -> str | None:
    value = table.get("request_id_header")
    if value is None:
        return None
    if isinstance(value, str) and _HEADER.match(value):
        return value.lower()
    text = f"{value!r} is no header name; write it like 'x-request-id'"
    reader.tell(("inbound", "request_id_header"), text)
    return None


def read_gateways(reader: Reader, config: Mapping[str, Any]) -> Iterable[str]:
    """Section `[outbound]`: the hosts that get our headers, as host[:port]."""
    table = reader.table(config, ("outbound",), ("gateways",))
    path = ("outbound", "gateways")
    for place, gateway in reader.texts(table.get("gateways", []), path):
        host = gateway.lower()
        provider = known_provider(host)
        if not _HOST.match(host):
            text = f"{gateway!r} is no host; write host or host:port, without scheme and path"
            reader.tell((*path, place), text)
        elif provider is not None:
            # Who our teams and users are is nothing that a provider needs to know.
            text = f"{gateway!r} is a host of {provider} itself, not a gateway; take it out"
            reader.tell((*path, place), text)
        else:
            yield host
