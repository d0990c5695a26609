"""The class of a provider failure, from what the innermost provider exception tells.

First hit wins; the table and its measurements are described in docs/failures.md. A code that nobody
knows falls to its HTTP status, and the raw code is kept beside the class so that drift shows.
"""

from __future__ import annotations

from typing import NamedTuple

EVENT_CLASSES = (
    "billing_exhausted",
    "rate_limited",
    "quota_daily",
    "provider_overloaded",
    "provider_5xx",
    "timeout",
    "network",
    "auth",
    "model_gone",
    "context_length",
    "content_filter",
    "bad_request",
    "client_cancelled",
    "partial_stream",
    "attribution_required",
    "headers_refused",
    "app_error",
    "dependency_error",
)
# No failures of a provider, and none of the application's:
ATTRIBUTION_REQUIRED = "attribution_required"
"""The policy refused the call before it was sent."""
APP_ERROR = "app_error"
"""The application itself: an exception that nobody caught, or an error that it logged."""
DEPENDENCY_ERROR = "dependency_error"
"""Another service answered that it cannot serve (a 5xx, a database without resources); those that
did not answer are `network`, `timeout`, ... without a provider."""
HEADERS_REFUSED = "headers_refused"
"""Inbound attribution headers were not believed; `attempts` says how many since the last event."""

_BILLING_CODES = frozenset(
    (
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "billing_hard_limit_reached",
        "billing_not_active",
        "billing_error",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
    )
)
_CODE_CLASSES = {
    "rate_limit_exceeded": "rate_limited",
    "slow_down": "rate_limited",
    "rate_limit_error": "rate_limited",
    "ThrottlingException": "rate_limited",
    "ModelNotReadyException": "rate_limited",
    "ServiceQuotaExceededException": "quota_daily",
    "overloaded_error": "provider_overloaded",
    "server_is_overloaded": "provider_overloaded",
    "UNAVAILABLE": "provider_overloaded",
    "ServiceUnavailableException": "provider_overloaded",
    "ModelErrorException": "provider_5xx",
    "ModelStreamErrorException": "partial_stream",
    "DEADLINE_EXCEEDED": "timeout",
    "ModelTimeoutException": "timeout",
    "invalid_api_key": "auth",
    "AccessDeniedException": "auth",
    "ExpiredTokenException": "auth",
    "UNAUTHENTICATED": "auth",
    "PERMISSION_DENIED": "auth",
    "model_not_found": "model_gone",
    "ResourceNotFoundException": "model_gone",
    "context_length_exceeded": "context_length",
    "content_policy_violation": "content_filter",
    "content_filter": "content_filter",
}
_SERVER_ERRORS = 500
# Words as broad as a status: they count where an error event in a stream brings no status.
_BROAD_CLASSES = {
    "server_error": "provider_5xx",
    "api_error": "provider_5xx",
    "INTERNAL": "provider_5xx",
    "InternalServerException": "provider_5xx",
    "timeout_error": "timeout",
    "authentication_error": "auth",
    "permission_error": "auth",
    "not_found_error": "model_gone",
    "request_too_large": "context_length",
    # gRPC status codes come without an HTTP status.
    "RESOURCE_EXHAUSTED": "rate_limited",
    "NOT_FOUND": "model_gone",
    "CANCELLED": "client_cancelled",
    "UNKNOWN": "provider_5xx",
    "ABORTED": "provider_5xx",
    "DATA_LOSS": "provider_5xx",
    "transport_unavailable": "network",
    # States of a deferred request that brings no answer.
    "expired": "timeout",
    "failed": "provider_5xx",
}
# Too broad to tell a class; the status beside them does.
_PLAIN_CODES = (
    *("invalid_request_error", "invalid_value", "unsupported_value", "missing_required_parameter"),
    *("INVALID_ARGUMENT", "FAILED_PRECONDITION", "ALREADY_EXISTS", "OUT_OF_RANGE"),
    *("ValidationException", "ConflictException"),
    *("conflict_error", "unprocessable_entity"),
)
_AMAZONS = "Exception"
"""What Amazon's codes end with: as members of an event stream they begin in lower case (Bedrock's
API reference, ConverseStreamOutput, read 2026-11)."""
_NAMED_CODES = (*_BILLING_CODES, *_CODE_CLASSES, *_BROAD_CLASSES, *_PLAIN_CODES)
KNOWN_CODES = frozenset(
    (*_NAMED_CODES, *(c[0].lower() + c[1:] for c in _NAMED_CODES if c.endswith(_AMAZONS)))
)
"""Codes of providers that were seen before; any other one is listed as new."""
_STATUS_CLASSES = {
    401: "auth",
    402: "billing_exhausted",
    403: "auth",
    404: "model_gone",
    408: "timeout",
    413: "context_length",
    # Bedrock's ModelErrorException: the model failed, not the request.
    424: "provider_5xx",
    429: "rate_limited",
    # gRPC's CANCELLED as Google's REST gives it.
    499: "client_cancelled",
    503: "provider_overloaded",
    504: "timeout",
    # Anthropic alone; no RFC knows it.
    529: "provider_overloaded",
}
# (words of the message, class), for providers that say it only in prose; compared in lower case.
_MESSAGE_CLASSES = (
    ("specified api usage limits", "billing_exhausted"),
    ("credit balance is too low", "billing_exhausted"),
    ("perday", "quota_daily"),
    ("api key not valid", "auth"),
    ("prompt is too long", "context_length"),
    ("exceeds the maximum number of tokens", "context_length"),
    ("input is too long", "context_length"),
)
_FIRST_ERROR_STATUS = 400
_BROKEN_ANSWER_WORDS = ("decodeerror", "responsevalidation", "unknownapiresponse")
_TIMEOUT_WORDS = ("timeout", "timedout")
_NETWORK_WORDS = (
    "connect",
    "network",
    "readerror",
    "writeerror",
    "protocolerror",
    "ssl",
    "dns",
    "socket",
)


class Failure(NamedTuple):
    """What the innermost provider exception tells; None where it does not."""

    exception_type: str
    http_status: int | None
    code: str | None
    kind: str | None
    """The provider's `type` word, where it sends one beside the code."""
    message: str


def classify(failure: Failure) -> str:
    """One of EVENT_CLASSES; an unknown failure without a status is `network` or `bad_request`."""
    # Money first: a spent credit comes with 429 too, and waiting does not mend it.
    words = (_named(failure.code), failure.kind)
    if any(
        word in _BILLING_CODES or (word or "").startswith("linked_organization") for word in words
    ):
        return "billing_exhausted"
    lowered = f"{failure.message} {failure.code or ''}".lower()
    # Under the code and status of any bad request: Anthropic's empty balance, Gemini's wrong key.
    for needle, found in _MESSAGE_CLASSES:
        if needle in lowered:
            return found
    for word in words:
        if word in _CODE_CLASSES:
            return _CODE_CLASSES[word]
    return _by_what_remains(failure)


def _named(code: str | None) -> str | None:
    """The code as it stands in the tables."""
    if code is None or not code.endswith(_AMAZONS):
        return code
    return code[0].upper() + code[1:]


def without_model(failure_class: str, failure: Failure) -> str:
    """The class of a failed call that names no model: what it misses is a file, a job, a response.

    That is the caller's business, where a model that is gone stops everybody who calls it.
    """
    is_object = failure_class == "model_gone" and failure.code not in _CODE_CLASSES
    return "bad_request" if is_object else failure_class


def _by_what_remains(failure: Failure) -> str:
    # A status of 200 says nothing here: an error event within a stream has only its words.
    if failure.http_status is not None and failure.http_status >= _FIRST_ERROR_STATUS:
        return _by_status(failure.http_status)
    for word in (_named(failure.code), failure.kind):
        if word in _BROAD_CLASSES:
            return _BROAD_CLASSES[word]
    return _by_name(failure.exception_type.lower())


def _by_status(status: int) -> str:
    if status in _STATUS_CLASSES:
        return _STATUS_CLASSES[status]
    return "provider_5xx" if status >= _SERVER_ERRORS else "bad_request"


def _by_name(name: str) -> str:
    if "cancel" in name or "generatorexit" in name:
        return "client_cancelled"
    if "contentfilter" in name or "contentpolicy" in name:
        return "content_filter"
    if any(word in name for word in _TIMEOUT_WORDS):
        return "timeout"
    if any(word in name for word in _BROKEN_ANSWER_WORDS):
        return "provider_5xx"
    if any(word in name for word in _NETWORK_WORDS):
        return "network"
    return "bad_request"
