"""Requests that submit or ask for what a provider works on: batches, background responses, videos.

The SDKs' patches know their paths and how their answers tell; this layer sees the same requests
where an application, or LiteLLM, sends them by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from anchor_autopatch.host.capture.calls import Call
from anchor_autopatch.host.clients import fields, paths
from anchor_autopatch.host.providers import objects
from anchor_autopatch.host.providers.google import interactions as google_interactions
from anchor_autopatch.host.providers.google import objects as google_objects
from anchor_autopatch.host.providers.openai import objects as openai_objects

_OPERATIONS = frozenset(
    ("batch", "eval_run", "fine_tuning", "interactions", "responses", "run", "video")
)
_OF_GOOGLE = ("/v1beta", "/projects/", "/operations/", "/models/")
_IN_BACKGROUND = frozenset(("interactions", "responses"))
"""Operations whose answer may say that the work goes on."""
_UNFINISHED = ("queued", "in_progress", "requires_action")


class Asked(NamedTuple):
    """A request that works on an object, and the JSON that it sent."""

    request: objects.Request
    sent: dict[str, Any]


def request(method: str, url: str) -> tuple[paths.Billed, objects.Request] | None:
    """What a request submits or asks for; None for one that works on no object."""
    path = urlsplit(url).path.rstrip("/")
    if "/messages/" in path:
        # Anthropic's batches: their usage stands in a file of results.
        return None
    dialect = _dialect(path)
    found = _ASK[dialect](method.upper(), path)
    # No file of a batch: it tells usage line by line, and is read by the SDKs' patches alone.
    if type(found) is not objects.Request or found.operation not in _OPERATIONS:
        return None
    model = unquote(path.rpartition("/")[2].partition(":")[0]) if ":" in path else None
    return paths.Billed(found.operation, dialect, model), found


def _dialect(path: str) -> str:
    if "/interactions/" in path:
        return "interactions"
    google = "/openai/" not in path and any(part in path for part in _OF_GOOGLE)
    return "gemini" if google else "openai"


_ASK: dict[str, Callable[[str, str], objects.Request | None]] = {
    "interactions": google_interactions.FAMILY.object_request,
    "gemini": google_objects.request,
    "openai": openai_objects.request,
}


def submitted(operation: str, answer: dict[str, Any]) -> Asked | None:
    """What an answer says has been submitted by an ordinary request; None where it is complete."""
    if operation in _IN_BACKGROUND and answer.get("status") in _UNFINISHED:
        return Asked(objects.Request(operation, "", retrieved=False), {})
    return None


def finish(call: Call, asked: Asked, dialect: str, body: bytes, result: object) -> None:
    """Ends a call by what its answer says of an object."""
    found = _read(asked, dialect, _answer(body))
    call.billable = True
    if len(found) == 1:
        objects.settle(call, found[0], result, retrieved=asked.request.retrieved)
    else:
        objects.each(call, asked.request, found)


def _read(asked: Asked, dialect: str, answer: dict[str, Any]) -> list[objects.Object]:
    if dialect == "gemini":
        return google_objects.read(asked.request, answer, asked.sent)
    if dialect == "openai":
        return openai_objects.read(asked.request, answer)
    seen = google_interactions.read_usage(asked.request.operation, answer)
    if seen.response_id is None:
        return []
    ended = answer.get("status") not in _UNFINISHED or seen.raw_usage is not None
    return [objects.Object(seen.response_id, ended, seen, answer.get("status"))]


def _answer(body: bytes) -> dict[str, Any]:
    answer = fields.read(body)
    if len(body) > fields.WHOLE and answer.get("usage") and "status" not in answer:
        # Too long to be parsed whole; usage is told when the work is done.
        answer["status"] = "completed"
    return answer
