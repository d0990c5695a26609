"""RQ: who enqueued a job is kept in a field of the job's hash in Redis, and served by the worker.

A field of its own beside the job's `meta`, which is the application's to read and to replace.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from functools import partial, wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.frameworks import serving
from anchor_autopatch.host.request_context import Request

_FIELD = "anchor_attribution"
_NOBODY = ""


def version() -> str | None:
    """The imported library's version."""
    return getattr(sys.modules.get("rq.version"), "VERSION", None)


def patch(module: ModuleType) -> None:
    """Wraps what stores, loads and runs a job (`rq.job`), and its callbacks (`rq.callbacks`)."""
    _PATCHES[module.__name__](module)


def _patch_job(job: ModuleType) -> None:
    patching.replace(job.Job, "to_dict", _wrap_to_dict)
    patching.replace(job.Job, "restore", _wrap_restore)
    patching.replace(job.Job, "perform", _wrap_run)
    # Where they were before rq 3.
    _patch_callbacks(job.Job)


def _patch_callbacks(owner: object) -> None:
    for name in ("success", "failure", "stopped"):
        patching.replace_if_present(owner, f"execute_{name}_callback", _wrap_run)


_PATCHES: dict[str, Callable[[ModuleType], None]] = {
    "rq.job": _patch_job,
    "rq.callbacks": _patch_callbacks,
}


def _wrap_to_dict(original: Any) -> Any:
    @wraps(original)
    def to_dict(self: Any, *args: Any, **kwargs: Any) -> Any:
        row = original(self, *args, **kwargs)
        text = _kept(self)
        if text:
            row[_FIELD] = text
        return row

    return to_dict


@patching.guarded("rq")
def _kept(job: Any) -> str:
    """Who enqueued the job; asked for where it is stored first, which is done by who enqueues."""
    state = vars(job)
    if _FIELD not in state:
        from anchor_autopatch.host import context

        carried = context.carried()
        state[_FIELD] = json.dumps(carried) if carried else _NOBODY
    return str(state[_FIELD])


def _wrap_restore(original: Any) -> Any:
    @wraps(original)
    def restore(self: Any, raw_data: Any, *args: Any, **kwargs: Any) -> Any:
        _load(self, raw_data)
        return original(self, raw_data, *args, **kwargs)

    return restore


@patching.guarded("rq")
def _load(job: Any, row: Mapping[Any, Any]) -> None:
    text = row.get(_FIELD.encode(), row.get(_FIELD, _NOBODY))
    vars(job)[_FIELD] = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def _wrap_run(original: Any) -> Any:
    @wraps(original)
    def run(job: Any, *args: Any, **kwargs: Any) -> Any:
        served = _opened(job)
        if served is None:
            return original(job, *args, **kwargs)
        with served:
            return original(job, *args, **kwargs)

    return run


def _find(job: Any) -> Request:
    return Request(
        "task",
        task=job.func_name,
        request_id=job.id,
        carried=_carried(vars(job).get(_FIELD, _NOBODY)),
        lookup=partial(_lookup, job),
    )


_opened = serving.opening("rq", _find)


def _carried(text: str) -> dict[str, str] | None:
    carried = json.loads(text) if text else None
    return carried if isinstance(carried, dict) else None


def _lookup(job: Any, place: str, name: str) -> object:
    return serving.argument(job.func, job.args, job.kwargs, name) if place == "task" else None
