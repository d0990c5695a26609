"""Google's interactions and decisions, google-genai 2.0 and later: an SDK of its own inside it."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

from anchor_autopatch.host.capture.calls import Seen
from anchor_autopatch.host.capture.sites import Site, host_of, site
from anchor_autopatch.host.providers.google.sdk import version
from anchor_autopatch.host.providers.objects import Object, Request
from anchor_autopatch.host.providers.reading import facts, get, text, to_json
from anchor_autopatch.host.providers.speakeasy import sdk as speakeasy
from anchor_autopatch.host.providers.tap import parsed

__all__ = ("patch", "read_request", "read_usage", "version")

_SHAPE = "gemini.interactions"
_CREATED = re.compile(r"/(interactions|decisions)(?::\w+)?\Z")
_ASKED = re.compile(r"/interactions/[^/:]+(?:[/:]cancel)?\Z")
_TRIGGERED = re.compile(r"/triggers/[^/]+/executions\Z")
_UNFINISHED = ("in_progress", "queued", "requires_action")
_SERVER_ERRORS = 500


def patch(basesdk: ModuleType) -> None:
    """Wraps the choke points; `basesdk` is `google.genai._gaos.basesdk`."""
    speakeasy.patch(FAMILY, basesdk.BaseSDK, getattr(basesdk, "AsyncBaseSDK", basesdk.BaseSDK))


def read_request(_operation: str, _body: dict[str, Any]) -> dict[str, object] | None:
    """Nothing: the answer tells its tier."""
    return None


def read_usage(_operation: str, answer: dict[str, Any]) -> Seen:
    """Usage of an interaction, or of an event of its stream."""
    inner = answer.get("interaction")
    holder = inner if isinstance(inner, dict) else answer
    usage = get(holder, "usage")
    return Seen(
        to_json(usage),
        _SHAPE if usage else None,
        text(holder, "model") or text(holder, "agent"),
        text(holder, "id"),
        facts(holder, "service_tier"),
    )


def _operation(method: str, path: str) -> str | None:
    found = _CREATED.search(path) if method == "POST" else None
    return found[1] if found else None


def _object_request(method: str, path: str) -> Request | None:
    if method == "POST" and _TRIGGERED.search(path):
        return Request("interactions", path, retrieved=False)
    if method in ("GET", "POST") and _ASKED.search(path):
        return Request("interactions", path, retrieved=True)
    return None


def _read_objects(asked: Request, answer: dict[str, Any]) -> list[Object]:
    if not asked.retrieved:
        # A trigger's execution names the interaction that it has started.
        named = text(answer, "interaction_id") or text(answer, "interactionId")
        return [Object(named, False, Seen(response_id=named))] if named else []
    seen = read_usage(asked.operation, answer)
    if seen.response_id is None:
        return []
    return [Object(seen.response_id, not _unfinished(answer), seen, text(answer, "status"))]


def _unfinished(answer: dict[str, Any]) -> bool:
    return answer.get("status") in _UNFINISHED and not answer.get("usage")


def _site(request: Any) -> Site:
    key = request.headers.get("x-goog-api-key")
    host = host_of(request.url)
    return site("vertex_ai" if host and "aiplatform" in host else "gemini", host, key)


def _error(response: Any) -> Exception:
    errors = sys.modules["google.genai.errors"]
    status = response.status_code
    body = parsed(response.content) if hasattr(response, "_content") else {}
    kind = errors.ServerError if status >= _SERVER_ERRORS else errors.ClientError
    error: Exception = kind(status, body)
    return error


FAMILY = speakeasy.Family(
    name="google-genai",
    operation=_operation,
    object_request=_object_request,
    site=_site,
    request_facts=read_request,
    facts_of=(),
    read_usage=read_usage,
    unfinished=_unfinished,
    error=_error,
    request_id_header="x-goog-request-id",
    events="google.genai._gaos.utils.eventstreaming",
    streams=("Stream", "AsyncStream"),
    read_objects=_read_objects,
)
