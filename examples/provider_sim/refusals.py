"""A provider's HTTP error answer for a failure: status, body and headers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from examples.provider_sim.failures import Failure
from examples.provider_sim.refusal_tables import ANTHROPIC, GEMINI, OPENAI, GeminiShape
from examples.provider_sim.values import Json

# Short, so that tests with the SDKs' own retries stay fast; who wants more says retry_after.
_WAIT_BY_DEFAULT = {"rate_limit": 0.02}
_RPC = "type.googleapis.com/google.rpc."


class Refusal(NamedTuple):
    """One HTTP error; headers are those of this error, not the provider's usual ones."""

    status: int
    body: Json
    headers: dict[str, str]


# What Azure says beside the code of a filtered prompt (error texts quoted by its users, 2026-11).
_AZURE_FILTERED: Json = {
    "code": "ResponsibleAIPolicyViolation",
    "content_filter_result": {"hate": {"filtered": True, "severity": "high"}},
}


def refuse(wire: str, failure: Failure, *, model: str, request_id: str) -> Refusal:
    """Return the HTTP error of a wire ("openai", "azure", "anthropic", "gemini")."""
    status, body = _BODIES[wire](failure, model, request_id)
    headers = _waiting(failure)
    given = failure.headers or {}
    headers.update({name.lower(): str(value) for name, value in given.items()})
    own = failure.body if isinstance(failure.body, dict) else None
    return Refusal(failure.status or status, own or body, headers)


def _waiting(failure: Failure) -> dict[str, str]:
    wait = failure.retry_after
    if wait is None:
        wait = _WAIT_BY_DEFAULT.get(failure.kind)
    if wait is None:
        return {}
    return {"retry-after": str(math.ceil(wait)), "retry-after-ms": f"{wait * 1000:.0f}"}


def _openai(failure: Failure, model: str, _request_id: str) -> tuple[int, Json]:
    shape = OPENAI.get(failure.kind, OPENAI["server_error"])
    error: Json = {
        "message": _text(shape.message, model),
        "type": shape.type,
        "param": shape.param,
        "code": failure.code or shape.code,
    }
    return shape.status, {"error": error}


def _azure(failure: Failure, model: str, request_id: str) -> tuple[int, Json]:
    status, body = _openai(failure, model, request_id)
    if failure.kind == "content_filter":
        body["error"] |= {"code": "content_filter", "param": "prompt", "status": status}
        body["error"]["innererror"] = _AZURE_FILTERED
    return status, body


def _anthropic(failure: Failure, model: str, request_id: str) -> tuple[int, Json]:
    shape = ANTHROPIC.get(failure.kind, ANTHROPIC["server_error"])
    error: Json = {"type": shape.type, "message": _text(shape.message, model)}
    code = failure.code or shape.error_code
    if code:
        error["details"] = {"error_code": code}
    return shape.status, {"type": "error", "error": error, "request_id": request_id}


def _gemini(failure: Failure, model: str, _request_id: str) -> tuple[int, Json]:
    shape = GEMINI.get(failure.kind, GEMINI["server_error"])
    error: Json = {
        "code": failure.status or shape.status,
        "message": _text(shape.message, model),
        "status": failure.code or shape.grpc,
    }
    details = _gemini_details(shape, failure, model)
    return shape.status, {"error": {**error, "details": details} if details else error}


def _text(message: str, model: str) -> str:
    return "Simulated: " + message.format(model=model or "?")


def _gemini_details(shape: GeminiShape, failure: Failure, model: str) -> list[Json]:
    details: list[Json] = []
    if shape.reason:
        info = {"reason": shape.reason, "domain": "googleapis.com", "metadata": {}}
        details.append({"@type": f"{_RPC}ErrorInfo", **info})
    if shape.quota:
        violation = {
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests",
            "quotaId": shape.quota,
            "quotaDimensions": {"model": model},
            "quotaValue": "1",
        }
        details.append({"@type": f"{_RPC}QuotaFailure", "violations": [violation]})
    if failure.retry_after is not None:
        delay = f"{failure.retry_after:g}s"
        details.append({"@type": f"{_RPC}RetryInfo", "retryDelay": delay})
    return details


_BODIES: dict[str, Callable[[Failure, str, str], tuple[int, Json]]] = {
    "azure": _azure,
    "openai": _openai,
    "anthropic": _anthropic,
    "gemini": _gemini,
}
