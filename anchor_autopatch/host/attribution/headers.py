"""Attribution headers of an inbound request: believed only from whom the policy trusts.

Anybody can send a header, so it counts only when its sender's address lies in a trusted network,
or when a key of ours has signed it for this very request. What is refused is counted, and nothing
of it is kept: a value is stored as it was sent only when it consists of plain characters.
"""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from anchor_autopatch.core.policy.records import Inbound
from anchor_autopatch.core.scrub import MASK, is_harmless, scrub_name
from anchor_autopatch.core.signatures import (
    KEYS_VARIABLE,
    REQUEST_ID_HEADER,
    SIGNATURE_HEADER,
    SIGNED_HEADERS,
    Signed,
    read_keys,
    refusal,
)
from anchor_autopatch.host.attribution import rejections

if TYPE_CHECKING:
    from anchor_autopatch.host.request_context import Request

VALUE_LIMIT = 1_000
"""Distinct values of a field that headers may bring into a process."""
OTHER = "__other__"

FIELDS = {
    "x-owner-team": "team",
    "x-owner-product": "service",
    "x-owner-feature": "feature",
    "x-owner-env": "environment",
}
"""Header -> field."""
# W3C Baggage (https://www.w3.org/TR/baggage/, read 2026-11): list members `key=value;properties`,
# values percent-encoded, 8192 bytes and 64 members at least; what goes beyond is not read.
_BAGGAGE_FIELDS = {
    "owner.team": "team",
    "owner.product": "service",
    "owner.feature": "feature",
    "owner.env": "environment",
}
_BAGGAGE_LIMIT = 8_192
_BAGGAGE_MEMBERS = 180
_PLAIN = re.compile(r"[A-Za-z0-9._:/@-]{1,64}")
# W3C Trace Context level 1, version 00, and later versions, which may say more at the end.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.{0,256})?"
)
_PEER_LIMIT = 1_024

_distinct: dict[str, set[str]] = {}
_keys: dict[str, bytes] | None = None
_peers: dict[tuple[tuple[str, ...], str], bool] = {}


class Believed(NamedTuple):
    """What a request's headers say, as far as they are trusted."""

    fields: dict[str, str]
    request_id: str | None
    trace_id: str | None


def read(request: Request, inbound: Inbound) -> Believed | None:
    """The attribution in the headers; None when there is none or its sender is not trusted."""
    if not inbound.networks and not _known_keys():
        # Nobody is trusted: one look says whether somebody counts on it.
        if _value(request, "x-owner-team"):
            rejections.note("untrusted")
        return None
    sent = _sent(request)
    if not sent:
        return None
    refused = _why_refused(request, sent, inbound)
    if refused is not None:
        # A browser may send baggage and trace ids of its own: only our names are an attempt.
        if any(name.startswith("x-owner-") for name in sent):
            rejections.note(refused)
        return None
    fields = _from_headers(sent)
    if "baggage" in sent:
        fields = {**_from_baggage(sent["baggage"]), **fields}
    return Believed(
        {field: _capped(field, value) for field, value in fields.items()},
        _plain(sent.get(REQUEST_ID_HEADER)),
        _trace_id(sent["traceparent"]) if "traceparent" in sent else None,
    )


def read_one(request: Request, name: str, inbound: Inbound) -> str | None:
    """One header that the policy names, under the same rules."""
    value = _value(request, name)
    if value is None:
        return None
    if _is_trusted_peer(request.peer, inbound.networks):
        return _plain(value)
    signed = _sent(request)
    if name not in signed:
        # No signature covers it.
        return None
    return _plain(value) if _why_refused(request, signed, inbound) is None else None


def forget() -> None:
    """Forgets values, counts and keys; for tests."""
    global _keys
    _keys = None
    rejections.forget()
    _distinct.clear()
    _peers.clear()


def _sent(request: Request) -> dict[str, str]:
    header = request.header
    if header is None:
        return {}
    # A loop: a generator of each step costs 2 us a request.
    found: dict[str, str] = {}
    for name in SIGNED_HEADERS:
        value = header(name)
        if value and isinstance(value, str):
            found[name] = value
    return found


def _value(request: Request, name: str) -> str | None:
    value: Any = request.header(name) if request.header is not None else None
    return value if isinstance(value, str) else None


def _why_refused(request: Request, sent: dict[str, str], inbound: Inbound) -> str | None:
    if _is_trusted_peer(request.peer, inbound.networks):
        return None
    signature, keys = _value(request, SIGNATURE_HEADER), _known_keys()
    if not signature or not keys:
        return "untrusted"
    signed = Signed(request.method or "", request.path or "", sent)
    return refusal(signature.strip(), keys, signed, int(time.time()), inbound.max_age_seconds)


def _is_trusted_peer(peer: str | None, networks: tuple[str, ...]) -> bool:
    if not networks or not peer:
        return False
    known = _peers.get((networks, peer))
    if known is None:
        if len(_peers) >= _PEER_LIMIT:
            _peers.clear()
        known = _peers[networks, peer] = _lies_in(peer, networks)
    return known


def _lies_in(peer: str, networks: tuple[str, ...]) -> bool:
    if peer == "unix":
        return "unix" in networks
    from ipaddress import IPv6Address, ip_address, ip_network

    try:
        # A zone (fe80::1%eth0) says on which link, not who.
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        # A server that listens on both families names IPv4 peers so.
        address = address.ipv4_mapped
    return any(address in ip_network(network) for network in networks if network != "unix")


def _known_keys() -> dict[str, bytes]:
    global _keys
    if _keys is None:
        from anchor_autopatch.core.errors import ConfigError

        try:
            _keys = read_keys(os.environ.get(KEYS_VARIABLE, ""))
        except ConfigError:
            # `anchor doctor` names the entry; until then no signature holds.
            _keys = {}
    return _keys


def _from_headers(sent: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, field in FIELDS.items():
        value = _plain(sent[name]) if name in sent else None
        if value is not None:
            found[field] = value
    return found


def _trace_id(text: str) -> str | None:
    trace = _TRACEPARENT.fullmatch(text.strip())
    return trace[1] if trace else None


def _from_baggage(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for member in text[:_BAGGAGE_LIMIT].split(",", _BAGGAGE_MEMBERS)[:_BAGGAGE_MEMBERS]:
        key, _, rest = member.partition("=")
        field = _BAGGAGE_FIELDS.get(key.strip())
        value = rest.partition(";")[0].strip() if field is not None else ""
        if "%" in value:
            from urllib.parse import unquote

            value = unquote(value)
        plain = _plain(value) if value else None
        if field is not None and plain is not None:
            found.setdefault(field, plain)
    return found


def _plain(value: str | None) -> str | None:
    """The value where it may be stored; else it is counted and None."""
    if value is None:
        return None
    # A key that somebody sent as a team's name is nothing to be stored either.
    if is_harmless(value) or (_PLAIN.fullmatch(value) and MASK not in scrub_name(value, 64)):
        return value
    rejections.note("value")
    return None


def _capped(field: str, value: str) -> str:
    known = _distinct.setdefault(field, set())
    if value in known:
        return value
    if len(known) >= VALUE_LIMIT:
        rejections.note("too many")
        return OTHER
    known.add(value)
    return value
