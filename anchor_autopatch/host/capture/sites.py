"""Where a client sends its calls.

Who invoices there, under which key fingerprint, and whether usage may be asked for.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import NamedTuple

from anchor_autopatch.core import settings
from anchor_autopatch.core.errors import AnchorError
from anchor_autopatch.core.hosts import (
    BY_MODEL,
    SDK,
    UNMAPPED,
    HostMap,
    known_provider,
    local_server,
    parse_host_map,
    provider_of_model,
)
from anchor_autopatch.host import configuration

_FINGERPRINT_LIMIT = 1_024
_SALT_BYTES = 32


class Site(NamedTuple):
    """One provider address as the receipts name it."""

    provider: str
    """A provider name, or `by-model`: then the model of each call decides."""
    host: str | None
    """host[:port]"""
    api_key_id: str | None
    known: bool
    """True for a host of the table or of the operator's map: usage injection is allowed there."""

    def provider_for(self, model: str | None) -> str:
        """Who invoices a call of this model."""
        return provider_of_model(model) if self.provider == BY_MODEL else self.provider


def site(
    sdk_provider: str, host: str | None, api_key: str | None, *, class_decides: bool = False
) -> Site:
    """Works out who invoices calls to `host`.

    Args:
        sdk_provider: What the SDK, or a special client class of it, stands for.
        host: host[:port] of the base URL; None when the SDK does not tell.
        api_key: Only its salted fingerprint is kept.
        class_decides: The client class alone says who invoices (Azure, Bedrock, Vertex clients).
    """
    key_id = fingerprint(api_key) if api_key else None
    if host is None or class_decides:
        return Site(sdk_provider, host, key_id, known=True)
    host = host.lower()
    mapped = provider_at(host)
    if mapped is None:
        return Site(UNMAPPED, host, key_id, known=False)
    return Site(sdk_provider if mapped == SDK else mapped, host, key_id, known=True)


def provider_at(host: str) -> str | None:
    """Who invoices at host[:port]: the table, the operator's map, a server of one's own; or None.

    May be `sdk` or `by-model` where the map says so.
    """
    return known_provider(host) or host_map().find(host) or local_server(host)


def host_of(url: object) -> str | None:
    """host[:port] of an httpx(2) URL object or of a URL text.

    The port only where it is not the scheme's own.
    """
    text = str(url)
    _, found, rest = text.partition("://")
    authority = (rest if found else text).partition("/")[0].rpartition("@")[2].lower()
    if text.startswith("https:"):
        authority = authority.removesuffix(":443")
    return authority or None


_map: HostMap | None = None
_salt: bytes | None = None
_fingerprints: dict[str, str] = {}


def host_map() -> HostMap:
    """The operator's map: ANCHOR_PROVIDER_HOSTS over `[hosts]` of anchor.toml.

    Read once a process.
    """
    global _map
    if _map is None:
        _map = HostMap({**_configured("hosts"), **_from_environment()})
    return _map


def forget() -> None:
    """Reads the map, the salt and the keys anew at the next call; for tests."""
    global _map, _salt
    _map = _salt = None
    _fingerprints.clear()
    configuration.forget()


def fingerprint(api_key: str) -> str:
    """HMAC-SHA256 of the key under the fleet's salt, 16 hex digits.

    The key itself is never stored on disk.
    """
    found = _fingerprints.get(api_key)
    if found is None:
        if len(_fingerprints) >= _FINGERPRINT_LIMIT:
            _fingerprints.clear()
        found = hmac.new(
            _fleet_salt(), api_key.encode("utf-8", "replace"), hashlib.sha256
        ).hexdigest()[:16]
        _fingerprints[api_key] = found
    return found


def _from_environment() -> dict[str, str]:
    try:
        return parse_host_map(os.environ.get("ANCHOR_PROVIDER_HOSTS", "")).entries
    except AnchorError:
        # A typing error must not reach the application; `anchor doctor` names the entry.
        return {}


def _configured(section: str) -> dict[str, str]:
    table = configuration.table(section)
    return {str(key).lower(): value for key, value in table.items() if isinstance(value, str)}


def _fleet_salt() -> bytes:
    global _salt
    if _salt is None:
        configured = _configured("fleet").get("key_salt")
        _salt = configured.encode() if configured else _home_salt()
    return _salt


def _home_salt() -> bytes:
    path = os.path.join(settings.home(), settings.SALT_FILE)
    try:
        if not os.path.exists(path):
            _make_salt(path)
        with open(path, "rb") as file:
            return file.read() or os.urandom(_SALT_BYTES)
    except OSError:
        # No home to keep a salt in, or one that may not be read: fingerprints of this process match
        # no other's, and no key leaks. `anchor doctor` tells.
        return os.urandom(_SALT_BYTES)


def _make_salt(path: str) -> None:
    # Whole or not at all: of two processes that begin together, none may read the other's half.
    draft = f"{path}.{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(_SALT_BYTES))
        os.link(draft, path)
    except FileExistsError:
        # The other process was faster: its salt counts.
        return
    finally:
        os.unlink(draft)
