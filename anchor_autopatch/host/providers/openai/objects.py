"""OpenAI's objects that are worked on after the request, and those of hosts that speak its dialect.

Sources: resources of openai 3.54.0 (responses, batches, beta.threads.runs, videos, stored chat
completions) and xAI's videos (recorded answers), read 2026-11.
"""

from __future__ import annotations

import re
from typing import Any

from anchor_autopatch.host.capture.calls import NOTHING, Seen
from anchor_autopatch.host.providers import batch_files
from anchor_autopatch.host.providers.objects import ENDED, Object, Request
from anchor_autopatch.host.providers.openai import agents as openai_agents
from anchor_autopatch.host.providers.openai import tools as openai_tools
from anchor_autopatch.host.providers.reading import facts, get, text, to_json

_RUN = r"/threads/[^/]+/runs/[^/]+"
# (method, end of the path, operation, the object exists already)
_REQUESTS = tuple(
    (method, re.compile(pattern + r"\Z"), operation, retrieved)
    for method, pattern, operation, retrieved in (
        ("GET", r"/responses/[^/]+", "responses", True),
        ("POST", r"/responses/[^/]+/cancel", "responses", True),
        ("GET", r"/chat/completions/[^/]+", "chat", True),
        ("POST", r"/batches", "batch", False),
        ("GET", r"/batches/[^/]+", "batch", True),
        # xAI gives a batch's answers out in pages, and no sum.
        ("GET", r"/batches/[^/]+/results", "batch_results", True),
        ("POST", r"/batches/[^/]+/cancel", "batch", True),
        ("POST", r"/threads(?:/[^/]+)?/runs", "run", False),
        ("GET", _RUN, "run", True),
        ("POST", _RUN + r"/(?:submit_tool_outputs|cancel)", "run", True),
        ("POST", r"/videos(?:/generations|/edits|/extensions|/[^/]+/remix)?", "video", False),
        ("GET", r"/videos/[^/]+", "video", True),
        ("POST", r"/fine_tuning/jobs", "fine_tuning", False),
        ("GET", r"/fine_tuning/jobs/[^/]+", "fine_tuning", True),
        ("POST", r"/fine_tuning/jobs/[^/]+/cancel", "fine_tuning", True),
        ("POST", r"/evals/[^/]+/runs", "eval_run", False),
        ("GET", r"/evals/[^/]+/runs/[^/]+", "eval_run", True),
        # Cancels it: later versions say so by the verb alone.
        ("POST", r"/evals/[^/]+/runs/[^/]+(?:/cancel)?", "eval_run", True),
    )
)
_SHAPES = {
    "responses": "openai.responses",
    "batch": "openai.responses",
    "fine_tuning": "openai.fine_tuning",
}
_RUN_ENDS = tuple(
    f"thread.run.{state}" for state in ("completed", "failed", "cancelled", "expired", "incomplete")
)


def request(method: str, path: str) -> Request | None:
    """What a request submits or asks for; None for one that works on no object."""
    for known, pattern, operation, retrieved in _REQUESTS:
        if known == method and pattern.search(path):
            return Request(operation, path, retrieved=retrieved)
    return openai_agents.request(method, path) or batch_files.request(method, path)


def read(asked: Request, answer: Any) -> list[Object]:
    """The object of an answer; [] for an answer that is none (a list page, a text)."""
    if asked.operation == "batch_results":
        return _results(asked, answer)
    if asked.operation == "agent":
        return openai_agents.read(asked, answer)
    if asked.operation == "eval_run":
        return _evaluated(answer)
    status = text(answer, "status")
    usage = _trained(answer) if asked.operation == "fine_tuning" else get(answer, "usage")
    if status is None and usage is None and get(answer, "id") is None:
        return []
    named = text(answer, "id") or text(answer, "request_id") or asked.path.rpartition("/")[2]
    counted = to_json(usage) if _tells(usage) else None
    seen = Seen(
        counted,
        _SHAPES.get(asked.operation, "openai.chat") if counted else None,
        text(answer, "model"),
        named,
        _facts(asked.operation, answer, status),
    )
    if asked.operation == "batch" and counted is None and batch_files.note(named, answer):
        # Azure, Groq, Together: what it cost stands in its file alone.
        return [Object(named, False, seen)]
    # A stored completion has no state: it exists because it has ended.
    ended = status in ENDED or (asked.operation == "chat" and counted is not None)
    return [Object(named, ended, seen, status)]


def _evaluated(run: Any) -> list[Object]:
    """A run of an evaluation: it tells the usage of each model that it asked or judged by."""
    named, status = text(run, "id"), text(run, "status")
    if named is None:
        return []
    told = [one for one in get(run, "per_model_usage") or () if get(one, "total_tokens")]
    if status not in ENDED or not told:
        return [Object(named, status in ENDED, Seen(response_id=named), status)]
    found = []
    for usage in told:
        model = text(usage, "model_name") or text(usage, "run_model_name")
        own = f"{named}#{model}" if len(told) > 1 else named
        seen = Seen(to_json(usage), "openai.chat", model, own)
        found.append(Object(own, True, seen, batch_id=named if len(told) > 1 else None))
    return found


def _results(asked: Request, answer: Any) -> list[Object]:
    listed = get(answer, "results")
    found = []
    for one in listed if isinstance(listed, list) else ():
        response = get(get(one, "batch_result"), "response")
        completion = get(response, "chat_get_completion")
        named, usage = text(completion, "id"), to_json(get(completion, "usage"))
        if named is not None and usage is not None:
            facts_ = {"batch": True, **(facts(completion, "service_tier") or {})}
            seen = Seen(usage, "openai.chat", text(completion, "model"), named, facts_)
            found.append(Object(named, True, seen, batch_id=asked.path.split("/")[-2]))
    return found


def _trained(job: Any) -> dict[str, int] | None:
    """The tokens that a fine-tuning job bills, told when it has ended."""
    tokens = get(job, "trained_tokens")
    return {"trained_tokens": tokens} if isinstance(tokens, int) else None


def _tells(usage: Any) -> bool:
    """False for the zeros that a batch shows until it has begun."""
    return usage is not None and get(usage, "total_tokens") != 0


def _facts(operation: str, answer: Any, status: str | None) -> dict[str, object] | None:
    if operation == "batch":
        return {"batch": True}
    if operation == "video" and status in ("completed", "done"):
        return _video(answer)
    tools = openai_tools.read(answer) if operation == "responses" else {}
    return {**(facts(answer, "service_tier") or {}), **tools} or None


def _video(answer: Any) -> dict[str, object] | None:
    made = get(answer, "video")
    length = get(answer, "seconds") or get(made, "duration")
    size = facts(answer, "size") or {}
    try:
        seconds = float(length)
    except (TypeError, ValueError):
        return size or None
    return {**size, "video_seconds": seconds}


class RunReader:
    """Events of an assistant's run: the one that ends it tells usage, that of all its steps."""

    def __init__(self) -> None:
        self.begun = False
        self._run: Any = None
        self._ended = False

    def feed(self, chunk: Any) -> bool:
        """Notes the state of the run; nothing is ever hidden."""
        self.begun = True
        kind = get(chunk, "event")
        if isinstance(kind, str) and kind.startswith("thread.run.") and ".step." not in kind:
            self._run = get(chunk, "data")
            self._ended = kind in _RUN_ENDS
        return False

    def seen(self) -> Seen:
        """The run's usage, its model and id."""
        if self._run is None:
            return NOTHING
        found = read(Request("run", "", retrieved=False), self._run)
        return found[0].seen if found else NOTHING

    def complete(self) -> bool:
        """True when the run has ended."""
        return self._ended
