"""Work handed to another thread or process stays the work of who handed it over.

Only the attribution travels, never the application's own context variables: in a worker thread
those have to be what they are without us. A pool's threads and processes outlive the request that
started them, so they are started with nobody's attribution; each piece of work brings its own.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.request_context import Request, Snapshot, bound, inbound, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_ABSENT = object()
_CARRIED = "_anchor_carried"


def version() -> str | None:
    """None: these modules are Python's own."""
    return None


def patch(module: ModuleType) -> None:
    """Wraps what starts work elsewhere in one of the modules that `_PATCHES` names."""
    _PATCHES[module.__name__](module)


_taken = patching.guarded("executors")(snapshot)


class Carried:
    """A function that runs for who was served where it was submitted."""

    __slots__ = ("function", "taken")

    def __init__(self, function: Callable[..., Any], taken: Snapshot) -> None:
        self.function = function
        self.taken = taken

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the function; its result and its exception are its own."""
        with self.taken:
            return self.function(*args, **kwargs)


def as_nobody(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Calls with nothing bound: the workers that a pool starts in there must inherit nobody.

    Since Python 3.14 a thread may start with a copy of its starter's context, and a forked process
    always does. A function with tokens and not a context manager: it costs half as much.
    """
    request, binding = inbound.set(None), bound.set(None)
    try:
        return function(*args, **kwargs)
    finally:
        inbound.reset(request)
        bound.reset(binding)


# -- threads --


def _patch_threading(threading: ModuleType) -> None:
    patching.replace(threading.Thread, "start", _wrap_start)


def _wrap_start(original: Any) -> Any:
    @wraps(original)
    def start(self: Any) -> Any:
        taken = _taken()
        if taken is None:
            return original(self)
        # `run` is shadowed on this one instance until it is called: subclasses override `run`, and
        # in 3.14 the thread may have a context of its own, in which only `run` is called.
        _shadow_run(self, taken)
        try:
            return original(self)
        except BaseException:
            vars(self).pop("run", None)
            raise

    return start


@patching.guarded("executors")
def _shadow_run(thread: Any, taken: Snapshot) -> None:
    state = vars(thread)
    own = state.get("run", _ABSENT)
    run = thread.run

    def carried_run() -> None:
        if own is _ABSENT:
            del state["run"]
        else:
            state["run"] = own
        with taken:
            run()

    state["run"] = carried_run


# -- pools of threads --


def _patch_thread_pool(thread: ModuleType) -> None:
    patching.replace(thread.ThreadPoolExecutor, "submit", _wrap_submit)


def _wrap_submit(original: Any) -> Any:
    @wraps(original)
    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        taken = _taken()
        if taken is None or _is_of_interpreters(self):
            return original(self, fn, *args, **kwargs)
        return as_nobody(original, self, Carried(fn, taken), *args, **kwargs)

    return submit


@patching.guarded("executors")
def _is_of_interpreters(pool: object) -> bool:
    # Python 3.14: a thread pool by inheritance, but its functions are pickled for an interpreter
    # in which this library is off.
    module = sys.modules.get("concurrent.futures.interpreter")
    return module is not None and isinstance(pool, module.InterpreterPoolExecutor)


# -- pools of processes --


class _Sent:
    """A submitted function on its way to another process; never called, never pickled."""

    __slots__ = ("carried", "function")

    def __init__(self, function: Callable[..., Any], carried: dict[str, str]) -> None:
        self.function = function
        self.carried = carried


def _patch_process_pool(process: ModuleType) -> None:
    patching.replace(process.ProcessPoolExecutor, "submit", _wrap_process_submit)
    patching.replace(process._CallItem, "__init__", _wrap_call_item)
    patching.put(process._CallItem, "__setstate__", _set_state)


def _wrap_process_submit(original: Any) -> Any:
    @wraps(original)
    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        # Worked out here: the thread that pickles is the pool's own.
        carried = _texts() if _taken() is not None else None
        work = _Sent(fn, carried) if carried else fn
        return as_nobody(original, self, work, *args, **kwargs)

    return submit


@patching.guarded("executors")
def _texts() -> dict[str, str]:
    from anchor_autopatch.host import context

    # Unlike a queue's task, it has no name of its own that could stand for the route.
    feature = context.current().feature
    return ({"feature": feature} if feature else {}) | context.carried()


def _wrap_call_item(original: Any) -> Any:
    """What crosses to the process: the function as it was submitted, our texts beside it.

    A process without this library unpickles it as well.
    """

    @wraps(original)
    def __init__(self: Any, work_id: Any, fn: Any, args: Any, kwargs: Any) -> None:  # noqa: N807
        if type(fn) is _Sent:
            self.__dict__[_CARRIED] = fn.carried
            fn = fn.function
        original(self, work_id, fn, args, kwargs)

    return __init__


def _set_state(item: Any, state: dict[str, Any]) -> None:
    carried = state.pop(_CARRIED, None)
    item.__dict__.update(state)
    if carried:
        item.fn = Carried(item.fn, Snapshot(Request("task", carried=carried), None))


_PATCHES: dict[str, Callable[[ModuleType], None]] = {
    "threading": _patch_threading,
    "concurrent.futures.thread": _patch_thread_pool,
    "concurrent.futures.process": _patch_process_pool,
}
