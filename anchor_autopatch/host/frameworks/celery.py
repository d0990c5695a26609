"""Celery: who submitted a task travels in the message's headers and is served by the worker."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial, wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.frameworks import serving
from anchor_autopatch.host.request_context import Request, snapshot

_HEADER = "anchor_attribution"


def version() -> str | None:
    """The imported library's version."""
    return getattr(sys.modules.get("celery"), "__version__", None)


def patch(module: ModuleType) -> None:
    """Wraps the sending side (`celery.app.base`) or the working side (`celery.app.trace`)."""
    _PATCHES[module.__name__](module)


def _patch_sender(base: ModuleType) -> None:
    patching.replace(base.Celery, "send_task", _wrap_send)


def _patch_worker(trace: ModuleType) -> None:
    patching.replace(trace, "build_tracer", _wrap_build)


_PATCHES = {"celery.app.base": _patch_sender, "celery.app.trace": _patch_worker}


def _wrap_send(original: Any) -> Any:
    @wraps(original)
    def send_task(self: Any, *args: Any, **kwargs: Any) -> Any:
        headers = _with_attribution(kwargs.get("headers"))
        if headers is not None:
            kwargs["headers"] = headers
        return original(self, *args, **kwargs)

    return send_task


@patching.guarded("celery")
def _with_attribution(headers: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The headers with the attribution; None when they stay as they are.

    A task that Celery sends again (a retry) keeps who sent it first.
    """
    if headers and _HEADER in headers:
        return None
    from anchor_autopatch.host import context

    carried = context.carried()
    return {**(headers or {}), _HEADER: carried} if carried else None


def _wrap_build(original: Any) -> Any:
    @wraps(original)
    def build_tracer(name: Any, task: Any, *args: Any, **kwargs: Any) -> Any:
        return _traced(original(name, task, *args, **kwargs), task)

    return build_tracer


def _traced(trace: Any, task: Any) -> Any:
    """Open for all of a task's life in the worker: the next one of a chain is sent in there."""

    @wraps(trace)
    def trace_task(uuid: Any, args: Any, kwargs: Any, request: Any = None) -> Any:
        served = _opened(task, uuid, args, kwargs, request)
        if served is None:
            return trace(uuid, args, kwargs, request)
        with served:
            return trace(uuid, args, kwargs, request)

    return trace_task


def _find(task: Any, uuid: str, args: Any, kwargs: Any, message: Any) -> Request:
    return Request(
        "task",
        task=task.name,
        request_id=uuid,
        carried=_carried(message or {}),
        lookup=partial(_lookup, task.run, args, kwargs),
    )


_opened = serving.opening("celery", _find)


def _carried(message: Mapping[str, Any]) -> Mapping[str, str] | None:
    carried = message.get(_HEADER)
    if carried is None and message.get("is_eager") and snapshot() is not None:
        # Run in the place of being sent: by who would have sent it.
        from anchor_autopatch.host import context

        return context.carried()
    return carried if isinstance(carried, Mapping) else None


def _lookup(function: Any, args: Any, kwargs: Any, place: str, name: str) -> object:
    return serving.argument(function, args, kwargs, name) if place == "task" else None
