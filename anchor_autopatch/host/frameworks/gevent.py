"""gevent: greenlets and its thread pool work for who spawned them.

A greenlet is given a context of its own before it starts; its function is not wrapped.
"""

from __future__ import annotations

import sys
from contextvars import Context
from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.executors import Carried
from anchor_autopatch.host.pools import Mapped
from anchor_autopatch.host.request_context import bound, inbound, snapshot


def version() -> str | None:
    """The imported library's version."""
    return getattr(sys.modules.get("gevent"), "__version__", None)


def patch(module: ModuleType) -> None:
    """Wraps what spawns in `gevent`, `gevent.pool` or `gevent.threadpool`."""
    _PATCHES[module.__name__](module)


def _patch_gevent(gevent: ModuleType) -> None:
    # `Greenlet` is compiled and cannot be patched; these are its ways in that have a name here.
    for name in ("spawn", "spawn_later", "spawn_raw"):
        patching.put(gevent, name, _wrap_spawn(getattr(gevent, name)))


def _patch_pool(pool: ModuleType) -> None:
    # What these return is a greenlet as well: it is the one that spawns the others.
    for name in ("imap", "imap_unordered", "map_async", "apply_async"):
        patching.replace(pool.GroupMappingMixin, name, _wrap_spawn)
    patching.replace(pool.GroupMappingMixin, "map", _wrap_map)
    patching.replace(pool.Group, "start", _wrap_start)
    patching.replace(pool.Pool, "start", _wrap_start)


def _patch_threadpool(threadpool: ModuleType) -> None:
    patching.replace(threadpool.ThreadPool, "spawn", _wrap_thread_spawn)


_PATCHES = {
    "gevent": _patch_gevent,
    "gevent.pool": _patch_pool,
    "gevent.threadpool": _patch_threadpool,
}


def _wrap_spawn(original: Any) -> Any:
    @wraps(original)
    def spawn(*args: Any, **kwargs: Any) -> Any:
        greenlet = original(*args, **kwargs)
        _give_context(greenlet)
        return greenlet

    return spawn


def _wrap_start(original: Any) -> Any:
    @wraps(original)
    def start(self: Any, greenlet: Any, *args: Any, **kwargs: Any) -> Any:
        _give_context(greenlet)
        return original(self, greenlet, *args, **kwargs)

    return start


def _wrap_map(original: Any) -> Any:
    @wraps(original)
    def map(self: Any, func: Any, iterable: Any) -> Any:  # noqa: A001 - its name
        # Spawned by a greenlet that nobody but `map` itself ever sees.
        return original(self, func if snapshot() is None else Mapped(func), iterable)

    return map


@patching.guarded("gevent")
def _give_context(greenlet: Any) -> None:
    taken = snapshot()
    # One that has run has a frame, or is dead: it has its own work.
    is_new = greenlet.gr_frame is None and not greenlet.dead
    if taken is not None and is_new and greenlet.gr_context is None:
        greenlet.gr_context = context = Context()
        context.run(inbound.set, taken.request)
        context.run(bound.set, taken.binding)


def _wrap_thread_spawn(original: Any) -> Any:
    @wraps(original)
    def spawn(self: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
        taken = snapshot()
        work = func if taken is None else Carried(func, taken)
        return original(self, work, *args, **kwargs)

    return spawn
