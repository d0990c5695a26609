"""OpenAI's managed agents: a session is submitted, each turn is billed where its end is read.

A turn's end stands in the session's events, and in the turn itself. The session tells a sum of its
turns, which is not billed beside them.

Source: beta.agents of openai 3.54.0, read 2026-11.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any

from anchor_autopatch.host.capture.calls import Seen
from anchor_autopatch.host.providers.objects import ENDED, Object, Request
from anchor_autopatch.host.providers.reading import get, text, to_json

_OPERATION = "agent"
_ASKS_MORE = re.compile(r"/agents/sessions/([^/]+)/events\Z")
_CREATED = re.compile(r"/agents/sessions\Z|/agents/automations/[^/]+/invocations\Z")
_ASKED = re.compile(r"/agents/sessions/[^/]+(?:/events|(?:/subagents/[^/]+)?/turns(?:/[^/]+)?)\Z")
_LIMIT = 1_024
_models: OrderedDict[str, str] = OrderedDict()
"""Session id -> the model of its agent, which its turns do not name."""


def request(method: str, path: str) -> Request | None:
    """What a request submits or asks for; None for one that tells of no turn."""
    if method == "POST" and (_CREATED.search(path) or _ASKS_MORE.search(path)):
        return Request(_OPERATION, path, retrieved=False)
    if method == "GET" and _ASKED.search(path):
        return Request(_OPERATION, path, retrieved=True)
    return None


def read(asked: Request, answer: Any) -> list[Object]:
    """The session or the turns of an answer, or of an event."""
    more = _ASKS_MORE.search(asked.path) if not asked.retrieved else None
    if more is not None:
        # Answered by nothing: who asked for the next turn is who pays for it.
        return [Object(more[1], False, Seen(response_id=more[1]))]
    kind = text(answer, "object")
    if kind == "list":
        turns = (_turn(turn, None) for turn in get(answer, "data") or ())
        return [turn for turn in turns if turn is not None]
    if kind == "agent.session":
        return [_session(answer)]
    if kind == "agent.automation.invocation":
        named = text(answer, "session_id")
        return [Object(named, False, Seen(response_id=named))] if named else []
    if kind == "agent.session.turn":
        turn = _turn(answer, None)
    elif text(answer, "type") == "agent.session.created":
        return [_session(get(answer, "session"))]
    else:
        turn = _turn(get(answer, "turn"), get(answer, "usage"))
    return [turn] if turn is not None else []


def _session(session: Any) -> Object:
    named = text(session, "id") or ""
    model = text(get(session, "agent"), "model")
    if model is not None:
        _models[named] = model
        if len(_models) > _LIMIT:
            _models.popitem(last=False)
    return Object(named, False, Seen(model=model, response_id=named))


def _turn(turn: Any, usage: Any) -> Object | None:
    """A turn that has ended; usage stands in it, or beside it in the event."""
    status, named = text(turn, "status"), text(turn, "id")
    if status not in ENDED or named is None:
        return None
    session_id = text(turn, "session_id")
    told = to_json(get(turn, "usage") or usage)
    model = _models.get(session_id or "")
    seen = Seen(told, "openai.responses" if told else None, model, named)
    return Object(named, True, seen, status, session_id)
