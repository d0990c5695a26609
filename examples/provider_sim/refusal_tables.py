"""Which HTTP error each failure is at each provider: status, type or code, a text of our own.

From recorded exchanges and the error classes of openai 3.54, anthropic 2.12, google-genai 3.4 (read
2026-11). A text holds a known phrase only where clients recognise the case by it.
"""

from __future__ import annotations

from typing import NamedTuple


class OpenAIShape(NamedTuple):
    """An OpenAI error object."""

    status: int
    type: str
    code: str | None
    message: str
    param: str | None = None


class AnthropicShape(NamedTuple):
    """An Anthropic error; `error_code` goes into `details`."""

    status: int
    type: str
    message: str
    error_code: str | None = None


class GeminiShape(NamedTuple):
    """A Google API error; `reason` makes an ErrorInfo detail, `quota` a QuotaFailure."""

    status: int
    grpc: str
    message: str
    reason: str | None = None
    quota: str | None = None


_O, _A, _G = OpenAIShape, AnthropicShape, GeminiShape
_INVALID, _SERVER = "invalid_request_error", "server_error"
_OVERLOADED = "server_is_overloaded"
OPENAI = {
    "rate_limit": _O(429, "requests", "rate_limit_exceeded", "too many requests for {model}"),
    "quota": _O(429, "insufficient_quota", "insufficient_quota", "no quota left"),
    "credit_exhausted": _O(429, "insufficient_quota", "credit_balance_exhausted", "no credit"),
    "spend_limit": _O(429, "insufficient_quota", "project_spend_limit_exceeded", "spend limit"),
    "payment_required": _O(402, "billing_error", "billing_not_active", "billing is not active"),
    "quota_daily": _O(429, "requests", "rate_limit_exceeded", "requests per day (RPD) used up"),
    "server_error": _O(500, _SERVER, None, "the server had an error"),
    "bad_gateway": _O(502, _SERVER, None, "bad gateway"),
    "unavailable": _O(503, _SERVER, _OVERLOADED, "the server is overloaded"),
    "gateway_timeout": _O(504, _SERVER, None, "upstream took too long"),
    "overloaded": _O(529, _SERVER, _OVERLOADED, "the server is overloaded"),
    "auth": _O(401, _INVALID, "invalid_api_key", "Incorrect API key provided"),
    "permission": _O(403, _INVALID, None, "this project may not use {model}"),
    "model_not_found": _O(404, _INVALID, "model_not_found", "no model {model}", "model"),
    "context_length": _O(
        400,
        _INVALID,
        "context_length_exceeded",
        "This model's maximum context length is exceeded",
        "messages",
    ),
    "content_filter": _O(400, _INVALID, "content_policy_violation", "content refused"),
    "bad_request": _O(400, _INVALID, "invalid_value", "a value is not valid", "input"),
    "conflict": _O(409, _INVALID, None, "conflict"),
    "too_large": _O(413, _INVALID, None, "the request is too large"),
    "unprocessable": _O(422, _INVALID, None, "the request cannot be processed"),
    "request_timeout": _O(408, _SERVER, None, "the request took too long to arrive"),
    "reject_stream_options": _O(
        400,
        _INVALID,
        "unknown_parameter",
        "unknown parameter 'stream_options'",
        "stream_options",
    ),
    "reject_stream_options_422": _O(
        422,
        _INVALID,
        None,
        "extra inputs are not permitted: stream_options",
    ),
}

_LINKED_LIMIT = "linked_organization_spend_limit_reached"
ANTHROPIC = {
    "rate_limit": _A(429, "rate_limit_error", "rate limit of this organization reached"),
    "quota": _A(400, _INVALID, "your credit balance is too low"),
    "credit_exhausted": _A(402, "billing_error", "no credit left"),
    "spend_limit": _A(429, "rate_limit_error", "spend limit", "enforced_spend_limit_reached"),
    "payment_required": _A(402, "billing_error", "payment required", _LINKED_LIMIT),
    "quota_daily": _A(429, "rate_limit_error", "requests per day used up"),
    "server_error": _A(500, "api_error", "internal server error"),
    "bad_gateway": _A(502, "api_error", "bad gateway"),
    "unavailable": _A(503, "api_error", "unavailable"),
    "gateway_timeout": _A(504, "timeout_error", "upstream took too long"),
    "overloaded": _A(529, "overloaded_error", "overloaded"),
    "auth": _A(401, "authentication_error", "x-api-key is not known"),
    "permission": _A(403, "permission_error", "not allowed"),
    "model_not_found": _A(404, "not_found_error", "no such model: {model}"),
    "context_length": _A(400, _INVALID, "prompt is too long"),
    "content_filter": _A(400, _INVALID, "output blocked by content filtering"),
    "bad_request": _A(400, _INVALID, "a value is not valid"),
    "conflict": _A(409, _INVALID, "conflict"),
    "too_large": _A(413, "request_too_large", "the request is too large"),
    "unprocessable": _A(422, _INVALID, "the request cannot be processed"),
    "request_timeout": _A(408, "timeout_error", "the request took too long to arrive"),
}

_EXHAUSTED, _ARGUMENT = "RESOURCE_EXHAUSTED", "INVALID_ARGUMENT"
_PER_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel"
_PER_DAY = "GenerateRequestsPerDayPerProjectPerModel"
GEMINI = {
    "rate_limit": _G(429, _EXHAUSTED, "requests per minute used up", None, _PER_MINUTE),
    "quota": _G(429, _EXHAUSTED, "spend limit of this project reached"),
    "credit_exhausted": _G(402, "FAILED_PRECONDITION", "prepaid credit used up"),
    "spend_limit": _G(429, _EXHAUSTED, "spend limit of this project reached"),
    "payment_required": _G(402, "FAILED_PRECONDITION", "billing is not active"),
    "quota_daily": _G(429, _EXHAUSTED, "requests per day used up", None, _PER_DAY),
    "server_error": _G(500, "INTERNAL", "internal error"),
    "bad_gateway": _G(502, "UNAVAILABLE", "bad gateway"),
    "unavailable": _G(503, "UNAVAILABLE", "the model is overloaded"),
    "gateway_timeout": _G(504, "DEADLINE_EXCEEDED", "deadline exceeded"),
    "overloaded": _G(503, "UNAVAILABLE", "the model is overloaded"),
    "auth": _G(400, _ARGUMENT, "API key not valid", "API_KEY_INVALID"),
    "permission": _G(403, "PERMISSION_DENIED", "not allowed", "SERVICE_DISABLED"),
    "model_not_found": _G(404, "NOT_FOUND", "models/{model} is not found"),
    "context_length": _G(400, _ARGUMENT, "input exceeds the maximum number of tokens allowed"),
    "content_filter": _G(400, _ARGUMENT, "content refused"),
    "bad_request": _G(400, _ARGUMENT, "a value is not valid"),
    "conflict": _G(409, "ABORTED", "conflict"),
    "too_large": _G(413, _ARGUMENT, "the request is too large"),
    "unprocessable": _G(422, _ARGUMENT, "the request cannot be processed"),
    "request_timeout": _G(408, "CANCELLED", "the request took too long to arrive"),
}
