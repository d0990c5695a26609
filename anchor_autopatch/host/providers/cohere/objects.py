"""Cohere's objects that are worked on after the request: embed jobs, batches, fine-tuned models.

Source: embed_jobs, batches and finetuning of cohere 7.3.1, read 2026-11.
"""

from __future__ import annotations

import re
from typing import Any

from anchor_autopatch.host.capture.calls import Seen
from anchor_autopatch.host.providers.objects import ENDED, Object, Request
from anchor_autopatch.host.providers.reading import get, text, to_json

SHAPE = "cohere.billed_units"
_PATH = re.compile(r"/?v[12]/(embed-jobs|finetuning/finetuned-models|batches)(?:/([^/:]+))?\Z")
_OPERATIONS = {
    "embed-jobs": "embeddings",
    "batches": "batch",
    "finetuning/finetuned-models": "fine_tuning",
}
# Its words -> those of the others.
_STATES = {"complete": "completed", "ready": "completed"}


def request(method: Any, path: Any) -> Request | None:
    """What a request submits or asks for; None for one that works on no object."""
    found = _PATH.match(path) if isinstance(path, str) else None
    if found is None or str(method).upper() != ("GET" if found[2] else "POST"):
        return None
    return Request(_OPERATIONS[found[1]], path, retrieved=found[2] is not None)


def read(asked: Request, answer: dict[str, Any]) -> list[Object]:
    """The job, batch or model of an answer."""
    inner: Any = answer.get("batch") or answer.get("finetuned_model") or answer
    named = text(inner, "job_id") or text(inner, "id")
    if named is None:
        return []
    word = (text(inner, "status") or "").lower().removeprefix("batch_").removeprefix("status_")
    status = _STATES.get(word, word)
    ended = status in ENDED
    usage = _usage(asked.operation, inner) if ended else None
    facts: dict[str, object] | None = {"batch": True} if asked.operation == "batch" else None
    seen = Seen(to_json(usage), SHAPE if usage else None, text(inner, "model"), named, facts)
    # A model that is trained, or a job that ended well, is charged whether it says how much or not.
    untold = ended and status == "completed" and usage is None
    return [Object(named, ended, seen, status, untold=untold)]


def _usage(operation: str, inner: Any) -> dict[str, Any] | None:
    """The units of a job, in the form in which Cohere tells those of a call."""
    if operation != "batch":
        meta = get(inner, "meta")
        return meta if get(meta, "billed_units") else None
    # A batch has no units of its own, and its counts are texts.
    names = ("input_tokens", "output_tokens")
    counts = {name: int(get(inner, name)) for name in names if str(get(inner, name)).isdigit()}
    return {"billed_units": counts} if counts else None
