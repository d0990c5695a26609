"""Mistral's objects that are worked on after the request: batch jobs and fine-tuning jobs.

Sources: jobs and files of mistralai 1.12 to 3.7, the batch guide (read 2026-11).
"""

from __future__ import annotations

import re
from typing import Any

from anchor_autopatch.host.capture.calls import Seen
from anchor_autopatch.host.providers import batch_files
from anchor_autopatch.host.providers.objects import Object, Request
from anchor_autopatch.host.providers.reading import get, text, to_json

_JOB = re.compile(r"/v1/(batch|fine_tuning)/jobs(?:/[^/]+)?(?:/cancel|/start)?")
# Its words -> those of the others.
_STATES = {"SUCCESS": "completed", "TIMEOUT_EXCEEDED": "expired"}
_ENDED = ("completed", "expired", "failed", "cancelled", "failed_validation")


def request(method: str, path: str) -> Request | None:
    """What a request submits or asks for; None for one that works on no object."""
    found = _JOB.fullmatch(path)
    if found is None:
        return batch_files.request(method, path)
    submits = path.endswith("/jobs")
    if method == "POST" or (method == "GET" and not submits):
        return Request(found[1], path, retrieved=not submits)
    return None


def read(asked: Request, answer: dict[str, Any]) -> list[Object]:
    """The job of an answer, or the answers of its requests where they came with it."""
    named = text(answer, "id")
    if named is None:
        # A dry run, a list.
        return []
    status = text(answer, "status") or ""
    status = _STATES.get(status, status.lower())
    if asked.operation == "batch":
        return _batch(named, answer, status)
    tokens = get(answer, "trained_tokens")
    raw = to_json({"trained_tokens": tokens}) if isinstance(tokens, int) and tokens else None
    seen = Seen(raw, None, text(answer, "model"), named)
    return [Object(named, status in _ENDED, seen, status)]


def _batch(named: str, answer: dict[str, Any], status: str) -> list[Object]:
    sums = batch_files.Sums()
    outputs = answer.get("outputs")
    for line in outputs if isinstance(outputs, list) else ():
        sums.add(get(get(line, "response"), "body") or {})
    if sums:
        return sums.objects(named)
    # What a job cost that ended early stands in its file, too: a file keeps it from being free.
    waits = batch_files.note(named, answer)
    seen = Seen(model=text(answer, "model"), response_id=named, facts={"batch": True})
    return [Object(named, False, seen, None if waits else status)]
