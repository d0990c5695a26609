"""Signed attribution headers: who vouches for them, for which request, until when.

`x-owner-signature: v1.<key id>.<expires>.<hex>` where hex is HMAC-SHA256, under the key, of these
lines joined by a newline, "" for what is not sent:

    anchor-1, key id, expires (Unix seconds), method, path as it is sent, without its query,
    then the values of SIGNED_HEADERS in that order

So a signature holds for one method, path and request id only (without a request id it does not
hold at all), and can be made in any language.
Keys come from the environment (ANCHOR_HEADER_KEYS=id=secret,id=secret): a new key is added before
the old one is taken out.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import NamedTuple

from anchor_autopatch.core.errors import ConfigError

KEYS_VARIABLE = "ANCHOR_HEADER_KEYS"
SIGNATURE_HEADER = "x-owner-signature"
REQUEST_ID_HEADER = "x-owner-request-id"
SIGNED_HEADERS = (
    REQUEST_ID_HEADER,
    "x-owner-team",
    "x-owner-product",
    "x-owner-feature",
    "x-owner-env",
    "x-owner-user",
    "baggage",
    "traceparent",
)
SECRET_LIMIT = 16
"""Characters that a secret has at least."""

_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}\Z")
_SIGNATURE = re.compile(r"v1\.([A-Za-z0-9_-]{1,32})\.([0-9]{1,12})\.([0-9a-f]{64})\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_VALUE_LIMIT = 8_192

INVALID = "invalid"
EXPIRED = "expired"
UNKNOWN_KEY = "unknown key"


class Signed(NamedTuple):
    """What a signature is bound to."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Values of SIGNED_HEADERS that are sent, by lower-case name."""


def read_keys(text: str) -> dict[str, bytes]:
    """Reads ANCHOR_HEADER_KEYS.

    Raises:
        ConfigError: an entry is not `id=secret`, or its secret is short; the secret is not told.
    """
    keys = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        key_id, _, secret = entry.partition("=")
        if not _KEY_ID.match(key_id) or len(secret) < SECRET_LIMIT:
            name = key_id if _KEY_ID.match(key_id) else "..."
            raise ConfigError(
                f"Cannot use entry {name!r} of {KEYS_VARIABLE}; expected id=secret, the id of "
                f"letters, digits, _ and -, the secret of {SECRET_LIMIT} characters or more"
            )
        # Bytes of the environment that are no UTF-8 arrive as lone surrogates (PEP 383).
        keys[key_id] = secret.encode("utf-8", "surrogatepass")
    return keys


def sign(key_id: str, secret: bytes, signed: Signed, expires: int) -> str:
    """The value of the signature header; `expires` in Unix seconds."""
    return f"v1.{key_id}.{expires}.{_digest(key_id, secret, signed, str(expires))}"


def refusal(
    signature: str, keys: Mapping[str, bytes], signed: Signed, now: int, max_age_seconds: int
) -> str | None:
    """Why a signature does not hold at `now` (Unix seconds), None when it does."""
    parts = _SIGNATURE.match(signature)
    if parts is None or not signed.headers.get(REQUEST_ID_HEADER) or not _is_plain(signed):
        return INVALID
    key_id, expires, digest = parts.groups()
    secret = keys.get(key_id)
    if secret is None:
        return UNKNOWN_KEY
    if not hmac.compare_digest(digest, _digest(key_id, secret, signed, expires)):
        return INVALID
    # One that holds for longer than the policy allows is as good as a stolen password.
    return None if now < int(expires) <= now + max_age_seconds else EXPIRED


def _digest(key_id: str, secret: bytes, signed: Signed, expires: str) -> str:
    # What is not sent takes part as empty, so that no header can be added to a signed request.
    values = (signed.headers.get(name, "") for name in SIGNED_HEADERS)
    lines = ("anchor-1", key_id, expires, signed.method, signed.path, *values)
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    return hmac.new(secret, text, hashlib.sha256).hexdigest()


def _is_plain(signed: Signed) -> bool:
    # A newline in one value would let it stand for two.
    values = (signed.method, signed.path, *signed.headers.values())
    return all(len(value) <= _VALUE_LIMIT and not _CONTROL.search(value) for value in values)
