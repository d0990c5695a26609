"""What a gRPC error says: a status code that is a method, and details that are another.

Status codes: grpc.github.io/grpc/core/md_doc_statuscodes.html, read 2026-11.
"""

from __future__ import annotations

from typing import Any

from anchor_autopatch.core.failures import Failure
from anchor_autopatch.core.scrub import scrub

# UNAVAILABLE is a provider's word, and also what the library says for itself without a connection.
_NEVER_CONNECTED = ("failed to connect", "dns resolution failed", "connections to all backends")
_CONNECTION_LOST = ("socket closed", "connection reset", "recvmsg", "broken pipe", "goaway")


def is_rpc_error(error: BaseException) -> bool:
    """True for an error of the gRPC library."""
    return type(error).__module__.partition(".")[0] == "grpc"


def read(error: Any) -> Failure:
    """The code by its name, the details scrubbed; `transport_unavailable` where nobody answered."""
    code = getattr(_asked(error, "code"), "name", None)
    details = str(_asked(error, "details") or "")
    kind = None
    if code == "UNAVAILABLE" and _any(_NEVER_CONNECTED + _CONNECTION_LOST, details):
        code, kind = None, "transport_unavailable"
    return Failure(type(error).__name__, None, code, kind, scrub(details))


def never_sent(error: BaseException) -> bool:
    """True when no connection was made, so that nothing can have been billed."""
    return is_rpc_error(error) and _any(_NEVER_CONNECTED, str(_asked(error, "details") or ""))


def _asked(error: object, name: str) -> object:
    method = getattr(error, name, None)
    return method() if callable(method) else None


def _any(words: tuple[str, ...], text: str) -> bool:
    lowered = text.lower()
    return any(word in lowered for word in words)
