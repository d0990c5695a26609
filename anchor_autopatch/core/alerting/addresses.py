"""Where a webhook may lead: never into one's own network, unless the policy says so.

A name is resolved once, all its addresses are looked at, and the connection is made to the address
that was looked at, not to the name: a name that answers differently the second time (DNS rebinding)
gains nothing. Every notation of an address ends in `ipaddress` here: decimal, octal and hexadecimal
IPv4, IPv4 inside IPv6.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

Resolver = Callable[[str, int], Sequence[str]]
"""Host and port -> its addresses as text."""

_PORTS = {"https": 443, "http": 80, "smtps": 465, "smtp": 587}
_CLEAR = ("http",)
_LONGEST_URL = 2_000
# RFC 6052 and RFC 3056: IPv4 addresses inside these reach whatever they name.
_NAT64 = IPv6Network("64:ff9b::/96")
_METADATA = frozenset(("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"))


class Refused(Exception):  # noqa: N818 - a finding, kept with the try
    """The target is none that may be told; nothing was sent."""


class Target(NamedTuple):
    """A place to connect to, looked at already."""

    scheme: str
    host: str
    port: int
    address: str
    """The only address that is connected to."""
    path: str
    """With its query; never logged, it may hold a secret."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host by the system's resolver.

    Raises:
        OSError: it has none, or nobody can say.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def look_at(url: str, *, allow_private: bool, resolver: Resolver = resolve) -> Target:
    """The target of a URL, with the one address that may be connected to.

    Args:
        url: https, or with `allow_private` http; smtps or smtp for mail.
        allow_private: Lets plain http and addresses of one's own network pass; link-local and
            metadata addresses never.
        resolver: Says the addresses of a name.

    Raises:
        Refused: it is no such URL, or leads where nobody may be led.
        OSError: the name cannot be resolved.
    """
    scheme, host, port, path = _parts(url)
    if scheme in _CLEAR and not allow_private:
        raise Refused(f"Plain {scheme} to {host!r}; use https, or allow_private = true")
    addresses = resolver(host, port)
    # All of them: one bad address among good ones is an attack, not a choice.
    for address in addresses:
        _check(host, address, allow_private=allow_private)
    if not addresses:
        raise Refused(f"{host!r} has no address")
    return Target(scheme, host, port, addresses[0], path)


def _parts(url: str) -> tuple[str, str, int, str]:
    if len(url) > _LONGEST_URL or not url.isprintable() or " " in url or "\\" in url:
        raise Refused("The URL holds what no URL holds")
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError as error:
        raise Refused(f"The URL cannot be read: {error}") from None
    if split.scheme not in _PORTS or not split.hostname:
        raise Refused(f"Scheme {split.scheme!r}; expected a URL that begins with https://")
    if split.username or split.password:
        raise Refused(f"The URL of {split.hostname!r} holds a password; use secret_env")
    path = (split.path or "/") + (f"?{split.query}" if split.query else "")
    if not path.isascii():
        raise Refused(f"The path of the URL of {split.hostname!r} is not ASCII; percent-encode it")
    return split.scheme, split.hostname, port or _PORTS[split.scheme], path


def _check(host: str, text: str, *, allow_private: bool) -> None:
    try:
        # A scope ("fe80::1%eth0") names an interface of ours; the address is what counts.
        address = _inner(ip_address(text.partition("%")[0]))
    except ValueError:
        raise Refused(f"{host!r} has the address {text!r}, which is none") from None
    if address.is_link_local or str(address) in _METADATA:
        raise Refused(f"{host!r} leads to {text}, a link-local or metadata address")
    if (
        address.is_multicast
        or address.is_unspecified
        or (address.is_reserved and not address.is_loopback)
    ):
        raise Refused(f"{host!r} leads to {text}, where no host is")
    if not address.is_global and not allow_private:
        raise Refused(
            f"{host!r} leads to {text}, an address of one's own network; "
            "allow_private = true lets it"
        )


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address
