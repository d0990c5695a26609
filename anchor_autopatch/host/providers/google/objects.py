"""Google's objects that are worked on after the request: batches, videos, Vertex AI's jobs."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from typing import Any

from anchor_autopatch.host.capture.calls import Seen
from anchor_autopatch.host.providers import batch_files
from anchor_autopatch.host.providers.objects import ENDED, Object, Request
from anchor_autopatch.host.providers.reading import get, text, to_json

_SUBMITTED = re.compile(r":(batchGenerateContent|predictLongRunning)\Z")
# Vertex AI's jobs: their answers lie in a bucket of the caller's, their usage nowhere.
_JOB = re.compile(r"(?:\A|/)(batchPredictionJobs|tuningJobs)(/[^/:]+)?\Z")
_JOBS = {"batchPredictionJobs": "batch", "tuningJobs": "fine_tuning"}
_STATISTICS = (
    "supervisedTuningDataStats",
    "preferenceOptimizationDataStats",
    "distillationDataStats",
)
_ASKED = re.compile(r"(?:\A|/)(?:batches|operations)/[^/:]+\Z")
_FETCHED = ":fetchPredictOperation"
_LIMIT = 1_024
_lengths: OrderedDict[str, float] = OrderedDict()
"""Name of a video's operation -> seconds of each video: the answer does not repeat them."""


def request(method: str, path: str) -> Request | None:
    """What a request submits or asks for; None for one that works on no object."""
    job = _JOB.search(path)
    if job is not None and (method, job[2] is None) in (("POST", True), ("GET", False)):
        return Request(_JOBS[job[1]], path, retrieved=job[2] is not None)
    found = _SUBMITTED.search(path)
    if method == "POST" and found:
        operation = "batch" if found[1] == "batchGenerateContent" else "video"
        return Request(operation, path, retrieved=False)
    if (method == "GET" and _ASKED.search(path)) or path.endswith(_FETCHED):
        return Request("batch" if "batches/" in path else "video", path, retrieved=True)
    return None


def read(asked: Request, answer: dict[str, Any], body: Any) -> list[Object]:
    """The objects of an answer: every response of an ended batch, or one that goes on."""
    name = text(answer, "name") or asked.path
    if _JOB.search(asked.path):
        return [_job(name, answer, asked.operation)]
    if asked.operation == "batch":
        state = text(answer.get("metadata"), "state") or ""
        under_way = Seen(facts={"batch": True})
        output = get(answer.get("metadata"), "output") or answer.get("response")
        # A batch that came as a file answers in one.
        waits = batch_files.note(name, output)
        status = None if waits else state.rpartition("_")[2]
        return _responses(answer) or [Object(name, False, under_way, status)]
    length = _note_length(name, body) if not asked.retrieved else None
    made: dict[str, object] | None = _video(answer)
    ended = answer.get("done") is True
    # A video that was filtered out is not charged.
    status = "failed" if ended and not made else None
    if length and not ended:
        resolution = text(get(body, "parameters"), "resolution")
        made = {"video_seconds_each": length}
        made |= {"video_resolution": resolution} if resolution else {}
    return [Object(name, ended, Seen(response_id=name, facts=made), status)]


def _job(name: str, answer: dict[str, Any], operation: str) -> Object:
    state = (text(answer, "state") or "").rpartition("_")[2].lower()
    model = (text(answer, "model") or text(answer, "baseModel") or "").rpartition("/")[2] or None
    ended = state in ENDED
    if operation == "batch":
        done = get(answer.get("completionStats"), "successfulCount")
        told: dict[str, object] = {"batch": True}
        if str(done).isdigit():
            told["requests"] = int(done)
        seen = Seen(model=model, response_id=name, facts=told)
        return Object(name, ended, seen, state, untold=state == "succeeded")
    # Whether its tokens are counted once or for each epoch is not said: kept, priced by nobody.
    raw = to_json(_statistics(answer)) if ended else None
    return Object(name, ended, Seen(raw, None, model, name), state, untold=state == "succeeded")


def _statistics(answer: dict[str, Any]) -> dict[str, Any] | None:
    """The billable counts of the examples that a job was given, without the examples themselves."""
    told = answer.get("tuningDataStats")
    found = next(filter(None, (get(told, kind) for kind in _STATISTICS)), None)
    counts = {k: v for k, v in (found or {}).items() if str(v).isdigit()}
    return counts or None


def _responses(answer: dict[str, Any]) -> list[Object]:
    output = get(get(answer, "metadata"), "output") or answer.get("response")
    listed: Any = get(output, "inlinedResponses")
    listed = get(listed, "inlinedResponses") if isinstance(listed, dict) else listed
    found = []
    for position, one in enumerate(listed if isinstance(listed, list) else ()):
        response = get(one, "response")
        usage = get(response, "usageMetadata")
        batch = text(answer, "name")
        named = text(response, "responseId") or f"{batch}#{position}"
        seen = Seen(
            to_json(usage),
            "gemini.generate_content" if usage else None,
            text(response, "modelVersion"),
            named,
            {"batch": True},
        )
        found.append(Object(named, True, seen, batch_id=batch))
    return found


def _note_length(name: str, body: Any) -> float | None:
    length = get(get(body, "parameters"), "durationSeconds")
    if not isinstance(length, (int, float)):
        return None
    _lengths[name] = float(length)
    if len(_lengths) > _LIMIT:
        _lengths.popitem(last=False)
    return float(length)


def _video(answer: dict[str, Any]) -> dict[str, object] | None:
    made: Any = answer.get("response")
    made = get(made, "generateVideoResponse") or made
    samples = get(made, "generatedSamples") or get(made, "videos")
    if not isinstance(samples, list):
        return None
    length = _lengths.get(str(answer.get("name")))
    counted: dict[str, object] = {"videos": len(samples)}
    return {**counted, "video_seconds": length * len(samples)} if length else counted


def fields(body: Any) -> dict[str, Any]:
    """The JSON object of an answer; {} for anything else."""
    try:
        answer = body if isinstance(body, dict) else json.loads(body or "{}")
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
