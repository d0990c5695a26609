"""The providers' HTTP error answers: status, body shape and headers, texts of our own.

Shapes from recorded exchanges and from the error classes of the SDKs (openai 3.54, anthropic 2.12,
google-genai 3.4), read 2026-11. A text holds a known phrase only where clients recognise the case by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from examples.provider_sim.failures import Failure
from examples.provider_sim.values import Json


class Refusal(NamedTuple):
    """One HTTP error: headers are the ones that belong to this error, not the provider's usual ones."""

    status: int
    body: Json
    headers: dict[str, str]


class _OpenAI(NamedTuple):
    status: int
    type: str
    code: str | None
    message: str
    param: str | None = None


class _Anthropic(NamedTuple):
    status: int
    type: str
    message: str
    error_code: str | None = None


class _Gemini(NamedTuple):
    status: int
    grpc: str
    message: str
    reason: str | None = None
    quota: str | None = None


_OPENAI = {
    "rate_limit": _OpenAI(429, "requests", "rate_limit_exceeded", "Simulated: too many requests for {model}"),
    "quota": _OpenAI(429, "insufficient_quota", "insufficient_quota", "Simulated: this key has no quota left"),
    "credit_exhausted": _OpenAI(429, "insufficient_quota", "credit_balance_exhausted", "Simulated: no credit left"),
    "spend_limit": _OpenAI(429, "insufficient_quota", "project_spend_limit_exceeded", "Simulated: spend limit reached"),
    "payment_required": _OpenAI(402, "billing_error", "billing_not_active", "Simulated: billing is not active"),
    "quota_daily": _OpenAI(429, "requests", "rate_limit_exceeded", "Simulated: requests per day (RPD) used up"),
    "server_error": _OpenAI(500, "server_error", None, "Simulated: the server had an error"),
    "bad_gateway": _OpenAI(502, "server_error", None, "Simulated: bad gateway"),
    "unavailable": _OpenAI(503, "server_error", "server_is_overloaded", "Simulated: the server is overloaded"),
    "gateway_timeout": _OpenAI(504, "server_error", None, "Simulated: upstream took too long"),
    "overloaded": _OpenAI(529, "server_error", "server_is_overloaded", "Simulated: overloaded"),
    "auth": _OpenAI(401, "invalid_request_error", "invalid_api_key", "Simulated: this API key is not known"),
    "permission": _OpenAI(403, "invalid_request_error", None, "Simulated: this project may not use {model}"),
    "model_not_found": _OpenAI(404, "invalid_request_error", "model_not_found", "Simulated: no model {model}", "model"),
    "context_length": _OpenAI(400, "invalid_request_error", "context_length_exceeded",
                              "Simulated: the maximum context length of {model} is exceeded", "messages"),
    "content_filter": _OpenAI(400, "invalid_request_error", "content_policy_violation", "Simulated: content refused"),
    "bad_request": _OpenAI(400, "invalid_request_error", "invalid_value", "Simulated: a value is not valid", "input"),
    "conflict": _OpenAI(409, "invalid_request_error", None, "Simulated: conflict"),
    "too_large": _OpenAI(413, "invalid_request_error", None, "Simulated: the request is too large"),
    "unprocessable": _OpenAI(422, "invalid_request_error", None, "Simulated: the request cannot be processed"),
    "request_timeout": _OpenAI(408, "server_error", None, "Simulated: the request took too long to arrive"),
    "reject_stream_options": _OpenAI(400, "invalid_request_error", "unknown_parameter",
                                     "Simulated: unknown parameter 'stream_options'", "stream_options"),
    "reject_stream_options_422": _OpenAI(422, "invalid_request_error", None,
                                         "Simulated: extra inputs are not permitted: stream_options"),
}  # fmt: skip
_ANTHROPIC = {
    "rate_limit": _Anthropic(429, "rate_limit_error", "Simulated: rate limit of this organization reached"),
    "quota": _Anthropic(400, "invalid_request_error", "Simulated: your credit balance is too low"),
    "credit_exhausted": _Anthropic(402, "billing_error", "Simulated: no credit left"),
    "spend_limit": _Anthropic(429, "rate_limit_error", "Simulated: spend limit", "enforced_spend_limit_reached"),
    "payment_required": _Anthropic(402, "billing_error", "Simulated: payment required",
                                   "linked_organization_spend_limit_reached"),
    "quota_daily": _Anthropic(429, "rate_limit_error", "Simulated: requests per day used up"),
    "server_error": _Anthropic(500, "api_error", "Simulated: internal server error"),
    "bad_gateway": _Anthropic(502, "api_error", "Simulated: bad gateway"),
    "unavailable": _Anthropic(503, "api_error", "Simulated: unavailable"),
    "gateway_timeout": _Anthropic(504, "timeout_error", "Simulated: upstream took too long"),
    "overloaded": _Anthropic(529, "overloaded_error", "Simulated: overloaded"),
    "auth": _Anthropic(401, "authentication_error", "Simulated: x-api-key is not known"),
    "permission": _Anthropic(403, "permission_error", "Simulated: not allowed"),
    "model_not_found": _Anthropic(404, "not_found_error", "model: {model}"),
    "context_length": _Anthropic(400, "invalid_request_error", "Simulated: prompt is too long"),
    "content_filter": _Anthropic(400, "invalid_request_error", "Simulated: output blocked by content filtering"),
    "bad_request": _Anthropic(400, "invalid_request_error", "Simulated: a value is not valid"),
    "conflict": _Anthropic(409, "invalid_request_error", "Simulated: conflict"),
    "too_large": _Anthropic(413, "request_too_large", "Simulated: the request is too large"),
    "unprocessable": _Anthropic(422, "invalid_request_error", "Simulated: the request cannot be processed"),
    "request_timeout": _Anthropic(408, "timeout_error", "Simulated: the request took too long to arrive"),
}  # fmt: skip
_GEMINI = {
    "rate_limit": _Gemini(429, "RESOURCE_EXHAUSTED", "Simulated: requests per minute used up",
                          quota="GenerateRequestsPerMinutePerProjectPerModel"),
    "quota": _Gemini(429, "RESOURCE_EXHAUSTED", "Simulated: spend limit of this project reached"),
    "credit_exhausted": _Gemini(402, "FAILED_PRECONDITION", "Simulated: prepaid credit used up"),
    "spend_limit": _Gemini(429, "RESOURCE_EXHAUSTED", "Simulated: spend limit of this project reached"),
    "payment_required": _Gemini(402, "FAILED_PRECONDITION", "Simulated: billing is not active"),
    "quota_daily": _Gemini(429, "RESOURCE_EXHAUSTED", "Simulated: requests per day used up",
                           quota="GenerateRequestsPerDayPerProjectPerModel"),
    "server_error": _Gemini(500, "INTERNAL", "Simulated: internal error"),
    "bad_gateway": _Gemini(502, "UNAVAILABLE", "Simulated: bad gateway"),
    "unavailable": _Gemini(503, "UNAVAILABLE", "Simulated: the model is overloaded"),
    "gateway_timeout": _Gemini(504, "DEADLINE_EXCEEDED", "Simulated: deadline exceeded"),
    "overloaded": _Gemini(503, "UNAVAILABLE", "Simulated: the model is overloaded"),
    "auth": _Gemini(400, "INVALID_ARGUMENT", "API key not valid (simulated)", reason="API_KEY_INVALID"),
    "permission": _Gemini(403, "PERMISSION_DENIED", "Simulated: not allowed", reason="SERVICE_DISABLED"),
    "model_not_found": _Gemini(404, "NOT_FOUND", "models/{model} is not found (simulated)"),
    "context_length": _Gemini(400, "INVALID_ARGUMENT",
                              "Simulated: input exceeds the maximum number of tokens allowed"),
    "content_filter": _Gemini(400, "INVALID_ARGUMENT", "Simulated: content refused"),
    "bad_request": _Gemini(400, "INVALID_ARGUMENT", "Simulated: a value is not valid"),
    "conflict": _Gemini(409, "ABORTED", "Simulated: conflict"),
    "too_large": _Gemini(413, "INVALID_ARGUMENT", "Simulated: the request is too large"),
    "unprocessable": _Gemini(422, "INVALID_ARGUMENT", "Simulated: the request cannot be processed"),
    "request_timeout": _Gemini(408, "CANCELLED", "Simulated: the request took too long to arrive"),
}  # fmt: skip
# Short, so that tests with the SDKs' own retries stay fast; a caller who wants more says retry_after.
_WAIT_BY_DEFAULT = {"rate_limit": 0.02}


def refuse(wire: str, failure: Failure, *, model: str, request_id: str) -> Refusal:
    """Return the HTTP error of one wire ("openai", "anthropic", "gemini") for a failure."""
    kind = failure.kind if failure.kind != "custom" else "server_error"
    status, body = _BODIES[wire](kind, failure, model, request_id)
    headers = _waiting(kind, failure)
    headers.update({name.lower(): str(value) for name, value in (failure.headers or {}).items()})
    custom = failure.body if isinstance(failure.body, dict) else None
    return Refusal(failure.status or status, custom or body, headers)


def _waiting(kind: str, failure: Failure) -> dict[str, str]:
    wait = failure.retry_after if failure.retry_after is not None else _WAIT_BY_DEFAULT.get(kind)
    if wait is None:
        return {}
    return {"retry-after": str(math.ceil(wait)), "retry-after-ms": f"{wait * 1000:.0f}"}


def openai_error(kind: str, failure: Failure, model: str, request_id: str) -> tuple[int, Json]:
    """Return status and body of an OpenAI error."""
    shape = _OPENAI.get(kind, _OPENAI["server_error"])
    error: Json = {
        "message": shape.message.format(model=model), "type": shape.type, "param": shape.param,
        "code": failure.code or shape.code,
    }  # fmt: skip
    return shape.status, {"error": error}


def anthropic_error(kind: str, failure: Failure, model: str, request_id: str) -> tuple[int, Json]:
    """Return status and body of an Anthropic error; `details.error_code` where the kind has one."""
    shape = _ANTHROPIC.get(kind, _ANTHROPIC["bad_request"])
    error: Json = {"type": shape.type, "message": shape.message.format(model=model)}
    code = failure.code or shape.error_code
    if code:
        error["details"] = {"error_code": code}
    return shape.status, {"type": "error", "error": error, "request_id": request_id}


def gemini_error(kind: str, failure: Failure, model: str, request_id: str) -> tuple[int, Json]:
    """Return status and body of a Google API error with its typed details."""
    shape = _GEMINI.get(kind, _GEMINI["bad_request"])
    status = failure.status or shape.status
    error: Json = {"code": status, "message": shape.message.format(model=model), "status": failure.code or shape.grpc}
    details = _gemini_details(shape, failure, model)
    return shape.status, {"error": {**error, "details": details} if details else error}


def _gemini_details(shape: _Gemini, failure: Failure, model: str) -> list[Json]:
    details: list[Json] = []
    if shape.reason:
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": shape.reason,
                        "domain": "googleapis.com", "metadata": {}})  # fmt: skip
    if shape.quota:
        violation = {"quotaMetric": "simulated/requests", "quotaId": shape.quota,
                     "quotaDimensions": {"model": model}, "quotaValue": "1"}  # fmt: skip
        details.append({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]})
    if failure.retry_after is not None:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{failure.retry_after:g}s"})
    return details


_BODIES: dict[str, Callable[[str, Failure, str, str], tuple[int, Json]]] = {
    "openai": openai_error,
    "anthropic": anthropic_error,
    "gemini": gemini_error,
}
