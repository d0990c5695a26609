"""Failures on demand: their names, how one is written, and when in a request it strikes.

A failure is written `kind`, `kind*2` (fail the first two tries of one request, then answer),
`kind@3` (a stream fails after three content chunks), or as a JSON object with the fields of
`Failure`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from examples.provider_sim.values import Json

# Answered with an HTTP error of the provider; the bodies are in refusals.py.
REFUSALS = (
    "rate_limit",
    "quota",
    "credit_exhausted",
    "spend_limit",
    "payment_required",
    "quota_daily",
    "server_error",
    "bad_gateway",
    "unavailable",
    "gateway_timeout",
    "overloaded",
    "auth",
    "permission",
    "model_not_found",
    "context_length",
    "content_filter",
    "bad_request",
    "conflict",
    "too_large",
    "unprocessable",
    "request_timeout",
    "reject_stream_options",
    "reject_stream_options_422",
    "custom",
)
# The connection goes wrong before a single header is sent.
SILENCES = ("reset", "close", "timeout")
# A stream goes wrong after `after` content chunks (a plain answer: after half of its bytes).
INTERRUPTIONS = ("stall", "break", "cut", "truncate", "error_event", "malformed_chunk")
# The answer arrives, but not as it should be.
DISTORTIONS = (
    "malformed_json",
    "no_usage",
    "null_usage",
    "same_id",
    "duplicate_last",
    "filtered",
    "empty_body",
)
KINDS = REFUSALS + SILENCES + INTERRUPTIONS + DISTORTIONS

ALIASES = {
    "429": "rate_limit",
    "500": "server_error",
    "502": "bad_gateway",
    "503": "unavailable",
    "504": "gateway_timeout",
    "529": "overloaded",
    "401": "auth",
    "403": "permission",
    "404": "model_not_found",
    "402": "payment_required",
    "400": "bad_request",
    "408": "request_timeout",
    "409": "conflict",
    "413": "too_large",
    "422": "unprocessable",
    "insufficient_quota": "quota",
    "credit_balance_exhausted": "credit_exhausted",
    "enforced_spend_limit": "spend_limit",
    "hang": "timeout",
}
MAX_SECONDS = 600.0
_WRITTEN = re.compile(r"(?P<kind>[a-z0-9_]+)(?:\*(?P<times>\d+))?(?:@(?P<after>\d+))?\Z")


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure.

    `times` None: always; `after`: content chunks that still arrive (default: half); `seconds`: how
    long a timeout or a stall lasts at most; `billed`: the provider did the work although the client
    got nothing.
    `status`, `code`, `body`, `headers` replace those of the kind.
    """

    kind: str
    times: int | None = None
    after: int | None = None
    seconds: float = 30.0
    retry_after: float | None = None
    billed: bool = False
    status: int | None = None
    code: str | None = None
    body: object = None
    headers: Json | None = None

    def strikes_after(self, chunks: int) -> int:
        """Return the number of content chunks that a stream of `chunks` still delivers."""
        return min(chunks // 2 if self.after is None else self.after, chunks)


_NAMES = frozenset(f.name for f in fields(Failure))


def parse_failure(value: object) -> Failure:
    """Return the failure that was written.

    Raises:
        ValueError: for an unknown kind or field, naming the known ones.
    """
    if isinstance(value, dict):
        return _from_fields(value)
    written = _WRITTEN.match(str(value).strip().lower().replace("-", "_"))
    if not written:
        raise ValueError(
            f"Failure {value!r} is not written as kind, kind*times, kind@after or a JSON object"
        )
    times, after = written["times"], written["after"]
    return Failure(
        kind=_known(written["kind"]),
        times=int(times) if times else None,
        after=int(after) if after else None,
    )


def _from_fields(value: Json) -> Failure:
    unknown = sorted(set(value) - _NAMES)
    if unknown:
        raise ValueError(
            f"Unknown failure field {unknown[0]!r}; known: {', '.join(sorted(_NAMES))}"
        )
    given = {**value, "kind": _known(str(value.get("kind", "custom")))}
    if not 0 <= float(given.get("seconds", 0)) <= MAX_SECONDS:
        raise ValueError(
            f"Failure seconds={given['seconds']!r} must lie between 0 and {MAX_SECONDS:g}"
        )
    return Failure(**given)


def _known(kind: str) -> str:
    kind = ALIASES.get(kind, kind)
    if kind not in KINDS:
        raise ValueError(f"Unknown failure {kind!r}; known: {', '.join(sorted(KINDS))}")
    return kind
