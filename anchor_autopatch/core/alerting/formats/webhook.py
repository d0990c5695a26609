"""The generic webhook: the alert as JSON, signed, under its idempotency key.

`X-Anchor-Signature: t=UNIX,v1=HEX[,v1=HEX]`, HEX = HMAC-SHA256(secret, UNIX + "." + body): a
receiver that knows one of the secrets refuses what is older than five minutes. Two secrets, joined
by a comma in the variable, sign both while they are changed.
"""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from typing import Any

from anchor_autopatch.core.alerting.posting import Request


def render(alert: dict[str, Any], url: str, secret: str | None, now_s: int) -> Request:
    """The request that tells the alert; `now_s` in seconds since 1970."""
    body = json.dumps(alert, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "anchor-autopatch",
        "Idempotency-Key": alert["key"],
    }
    if secret:
        headers["X-Anchor-Signature"] = signature(body, secret, now_s)
    return Request(url, headers, body)


def signature(body: bytes, secrets: str, now_s: int) -> str:
    """The header's value; `secrets` may be two, joined by a comma."""
    signed = f"{now_s}.".encode() + body
    live = filter(None, (each.strip() for each in secrets.split(",")))
    digests = (hmac.new(secret.encode(), signed, sha256).hexdigest() for secret in live)
    return ",".join([f"t={now_s}", *(f"v1={digest}" for digest in digests)])
