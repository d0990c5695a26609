"""Hooks what tells of failures of the application itself: `logging`, and what nobody catches.

On unless `ANCHOR_ERRORS=0`. The hooks that are there already, and the application's handlers, run
first and unchanged. Everything that a failure needs (`errors`, and with it the outbox) is imported
at the first one, so that a process without one does without.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.dependencies import watching

if TYPE_CHECKING:
    from types import ModuleType

_ERROR = 40
"""logging.ERROR, whose module is not ours to import."""


def version() -> str | None:
    """None: these hooks are Python's own."""
    return None


def patch(module: ModuleType) -> None:
    """Hooks `logging`, which is `module`, and the three hooks for what nobody catches."""
    if not watching.is_on():
        return
    patching.replace(module.Logger, "callHandlers", _call_handlers)
    patching.put(sys, "excepthook", excepthook(sys.excepthook))
    patching.put(sys, "unraisablehook", _one_argument_hook(sys.unraisablehook))
    # `logging` has imported it.
    threads = sys.modules["threading"]
    patching.put(threads, "excepthook", _one_argument_hook(threads.excepthook))


def _call_handlers(original: Any) -> Any:
    # Not `handle`, which loggers are given subclasses of: this is where every record passes that
    # its logger's level lets through, whatever `propagate` says.
    @wraps(original)
    def callHandlers(self: Any, record: Any) -> Any:  # noqa: N802 - the name of what it stands for
        try:
            return original(self, record)
        finally:
            if record.levelno >= _ERROR:
                _logged(record)

    return callHandlers


def excepthook(original: Any) -> Any:
    """Makes a `sys.excepthook` around the one that is there."""

    def hook(kind: Any, error: Any, traceback: Any) -> Any:
        try:
            return original(kind, error, traceback)
        finally:
            # Somebody sits before a prompt, and sees it.
            if not hasattr(sys, "ps1"):
                raised(error)

    return hook


def _one_argument_hook(original: Any) -> Any:
    """The hooks of threads and finalizers: one argument with the exception in it."""

    def hook(told: Any) -> Any:
        try:
            return original(told)
        finally:
            raised(told.exc_value)

    return hook


@patching.guarded(watching.TARGET)
def _logged(record: Any) -> None:
    if watching.TARGET in patching.off:
        return
    from anchor_autopatch.host.dependencies import errors

    errors.logged(record)


@patching.guarded(watching.TARGET)
def raised(error: BaseException | None) -> None:
    """Leaves an event of an exception that nobody caught."""
    if watching.TARGET in patching.off:
        return
    from anchor_autopatch.host.dependencies import errors

    errors.raised(error)


@patching.guarded(watching.TARGET)
def reported(context: dict[str, Any]) -> None:
    """Takes what an event loop tells its handler: of interest only with an exception."""
    error = context.get("exception")
    if error is not None:
        raised(error)
