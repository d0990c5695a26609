"""Anthropic's managed agents and dreams: worked on after the request, in sessions of their own.

A session is submitted; each model request in it is billed where its end is read among the events.
What its machine costs for the time that it ran stands in the session's own sum alone.

Source: beta.sessions, beta.deployments and beta.dreams of anthropic 2.12.0, read 2026-11.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any

from anchor_autopatch.host.capture.calls import Seen
from anchor_autopatch.host.providers.objects import ENDED, Object, Request
from anchor_autopatch.host.providers.reading import get, text, to_json

_SHAPE = "anthropic.messages"
_SUBMITS = re.compile(r"/v1/(?:sessions|deployments/[^/]+/run)\Z")
_ASKS_MORE = re.compile(r"/v1/sessions/([^/]+)/events\Z")
_EVENTS = re.compile(
    r"/v1/sessions/([^/]+)(?:/events(?:/stream)?|/threads/[^/]+/(?:events|stream))\Z"
)
_DREAM = re.compile(r"/v1/dreams(/[^/]+)?\Z")
_LIMIT = 1_024
_models: OrderedDict[str, str] = OrderedDict()
"""Session id -> the model of its agent, which the events do not name."""


def request(method: str, path: str) -> Request | None:
    """What a request submits or asks for; None for one that tells of no model's work."""
    if method == "POST" and (_SUBMITS.search(path) or _ASKS_MORE.search(path)):
        return Request("agent", path, retrieved=False)
    if method == "GET" and _EVENTS.search(path):
        return Request("agent", path, retrieved=True)
    dream = _DREAM.search(path)
    if dream is not None and (method, dream[1] is None) in (("POST", True), ("GET", False)):
        return Request("dream", path, retrieved=dream[1] is not None)
    return None


def read(asked: Request, answer: Any) -> list[Object]:
    """The session, the dream or the model requests of an answer, or of an event."""
    if asked.operation == "dream":
        return _dream(answer)
    if not asked.retrieved:
        return _submitted(asked, answer)
    found = _EVENTS.search(asked.path)
    session_id = found[1] if found else None
    listed = get(answer, "data")
    events = listed if isinstance(listed, list) else [answer]
    ended = (_model_request(event, session_id) for event in events)
    return [one for one in ended if one is not None]


def _submitted(asked: Request, answer: Any) -> list[Object]:
    more = _ASKS_MORE.search(asked.path)
    named = more[1] if more else text(answer, "session_id") or text(answer, "id")
    if named is None:
        return []
    model = text(get(get(answer, "agent"), "model"), "id")
    if model is not None:
        _models[named] = model
        if len(_models) > _LIMIT:
            _models.popitem(last=False)
    return [Object(named, False, Seen(model=model, response_id=named))]


def _model_request(event: Any, session_id: str | None) -> Object | None:
    kind, named = text(event, "type"), text(event, "id")
    if kind == "span.model_request_end":
        usage = get(event, "model_usage")
    elif kind == "span.outcome_evaluation_end":
        # The grader's own requests, which have no events.
        usage = get(event, "usage")
    else:
        return None
    if named is None or not (get(usage, "output_tokens") or get(usage, "input_tokens")):
        return None
    seen = Seen(to_json(usage), _SHAPE, _models.get(session_id or ""), named)
    return Object(named, True, seen, batch_id=session_id)


def _dream(answer: Any) -> list[Object]:
    named, status = text(answer, "id"), text(answer, "status")
    if named is None:
        return []
    usage = get(answer, "usage")
    ended = status in ENDED and bool(get(usage, "output_tokens"))
    told = to_json(usage) if ended else None
    model = text(get(answer, "model"), "id")
    seen = Seen(told, _SHAPE if told else None, model, named)
    return [Object(named, ended or status in ENDED, seen, status)]
