"""What OpenAI charges beside the calls of its models: sessions held elsewhere, containers, grading.

Sources: the types and the API reference of openai 1.109 to 3.54, the pricing page (read 2026-11).
"""

from __future__ import annotations

import json
from typing import Any

from anchor_autopatch.host.capture.calls import Seen
from anchor_autopatch.host.providers.reading import facts, get, text, to_json

OPERATIONS = {
    # Held by a browser or a telephone: opened here, and told of by nobody. The receipt says so.
    "/realtime/sessions": "realtime_session",
    "/realtime/transcription_sessions": "realtime_session",
    "/realtime/client_secrets": "realtime_session",
    "/realtime/translations/client_secrets": "realtime_translation_session",
    "/realtime/calls": "realtime_session",
    "/calls/*/accept": "realtime_session",
    "/live/sessions": "live_session",
    "/sessions/*/fork": "live_session",
    "/sessions/*/accept": "live_session",
    "/chatkit/sessions": "chatkit_session",
    "/containers": "container",
    "/vector_stores/*/search": "search",
    "/graders/run": "grading",
}
_SESSIONS = frozenset(name for name in OPERATIONS.values() if name.endswith("_session"))
READ_HERE = frozenset(OPERATIONS.values())
_CONTAINER = "container"
"""LiteLLM's name for what a container session is charged as."""


def read_request(operation: str, body: dict[str, Any]) -> dict[str, object] | None:
    """What is charged whatever the answer says."""
    if operation == "container":
        return {"sessions": 1, **(facts(body, "memory_limit") or {})}
    return {"file_searches": 1} if operation == "search" else None


def read_usage(operation: str, answer: Any) -> Seen:
    """What the answer says of the session, the container or the grading."""
    if operation == "grading":
        return _grading(answer)
    if operation == "container":
        return Seen(model=_CONTAINER, response_id=text(answer, "id"))
    if operation in _SESSIONS:
        session = get(answer, "session") or answer
        return Seen(model=_model(session), response_id=text(session, "id") or _located(answer))
    return Seen()


def _model(session: Any) -> str | None:
    transcriber = get(get(get(session, "audio"), "input"), "transcription")
    return text(session, "model") or text(transcriber, "model")


def _located(answer: Any) -> str | None:
    """The id of a call that is answered by its media description alone: in a header."""
    headers = get(get(answer, "response"), "headers")
    location = headers.get("location", "") if headers is not None else ""
    return location.rstrip("/").rpartition("/")[2] or None


def _grading(answer: Any) -> Seen:
    by_model = get(answer, "model_grader_token_usage_per_model") or get(
        # Where pydantic gave it another name, because `model_` is its own.
        answer,
        "api_model_grader_token_usage_per_model",
    )
    if not isinstance(by_model, dict) or not by_model:
        return Seen()
    if len(by_model) == 1:
        ((model, usage),) = by_model.items()
        return Seen(to_json(usage), "openai.chat", model)
    # Several models, each with a price of its own: kept whole, and priced by nobody yet.
    return Seen(json.dumps(by_model, separators=(",", ":")), None)
