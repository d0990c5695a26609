"""asyncio: what nobody awaits, also where the application's own handler keeps it from the log.

Of loops that are written in Python; uvloop's are seen by what they log, which is all without such a
handler.
"""

from __future__ import annotations

from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.dependencies import applications, watching


def version() -> str | None:
    """None: it is Python's own."""
    return None


def patch(module: ModuleType) -> None:
    """Watches what loops report; `module` is `asyncio.base_events`."""
    if watching.is_on():
        patching.replace(module.BaseEventLoop, "call_exception_handler", _wrap_reporting)


def _wrap_reporting(original: Any) -> Any:
    @wraps(original)
    def call_exception_handler(self: Any, context: Any) -> Any:
        try:
            return original(self, context)
        finally:
            # The default handler has logged it, by which it is known.
            applications.reported(context)

    return call_exception_handler
