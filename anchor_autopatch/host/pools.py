"""`multiprocessing.pool`: the workers are nobody's; a ThreadPool works for who hands it work.

What goes to the processes of a Pool is pickled by it and is left alone: there a call is its
process's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.executors import as_nobody
from anchor_autopatch.host.request_context import Snapshot, bound, inbound, snapshot


def version() -> str | None:
    """None: the module is Python's own."""
    return None


def patch(pool: ModuleType) -> None:
    """Wraps what starts the workers and what takes work; `pool` is `multiprocessing.pool`."""
    patching.replace(pool.Pool, "__init__", _wrap_init)
    for name in ("apply_async", "_map_async", "imap", "imap_unordered"):
        patching.replace(pool.Pool, name, partial(_wrap_taking, pool.ThreadPool))


class Mapped:
    """A function that many threads run, all for who handed it over."""

    __slots__ = ("function", "taken")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.taken = inbound.get(), bound.get()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the function; its result and its exception are its own."""
        with Snapshot(*self.taken):
            return self.function(*args, **kwargs)


def _wrap_init(original: Any) -> Any:
    @wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        if snapshot() is None:
            original(self, *args, **kwargs)
        else:
            as_nobody(original, self, *args, **kwargs)

    return __init__


def _wrap_taking(thread_pool: type, original: Any) -> Any:
    @wraps(original)
    def take(self: Any, *args: Any, **kwargs: Any) -> Any:
        if args and snapshot() is not None and isinstance(self, thread_pool):
            args = (Mapped(args[0]), *args[1:])
        elif "func" in kwargs and snapshot() is not None and isinstance(self, thread_pool):
            kwargs = {**kwargs, "func": Mapped(kwargs["func"])}
        return original(self, *args, **kwargs)

    return take
