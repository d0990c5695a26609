"""multiprocessing: what nobody catches in a child process, which is printed there and forgotten.

No `sys.excepthook` hears of it. The child prints it by `traceback.print_exc`, whichever class runs
it and however it was started.
"""

from __future__ import annotations

import sys
from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.dependencies import applications, watching

_CHILD = ("multiprocessing.process", "_bootstrap")
"""Who prints: a function that runs all of a child's work."""


def version() -> str | None:
    """None: it is Python's own."""
    return None


def patch(module: ModuleType) -> None:
    """Watches what children of this process print at their end; `module` is `traceback`."""
    if watching.is_on():
        patching.replace(module, "print_exc", _wrap_printing)


def _wrap_printing(original: Any) -> Any:
    # Not `BaseProcess.run`, which most classes of processes override, and not what is done at a
    # child's exit, which has moved out of the exception's way in Python 3.13.
    @wraps(original)
    def print_exc(*args: Any, **kwargs: Any) -> Any:
        error = sys.exception()
        try:
            return original(*args, **kwargs)
        finally:
            caller = sys._getframe(1)
            if (caller.f_globals.get("__name__"), caller.f_code.co_name) == _CHILD:
                applications.raised(error)

    return print_exc
