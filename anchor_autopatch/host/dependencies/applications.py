"""The switch of what is told about failures of the application itself: `ANCHOR_ERRORS=1`.

Off by default: whoever switches it on wants events from every process that imports an SDK or a
framework.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def version() -> str | None:
    """None: these hooks are Python's own."""
    return None


def patch(module: ModuleType) -> None:
    """Hooks what `errors` hooks where it is switched on; `module` is `logging`."""
    if os.environ.get("ANCHOR_ERRORS", "") in ("", "0"):
        return
    # It brings the outbox, which a process without a call does without.
    from anchor_autopatch.host.dependencies import errors

    errors.hook(module)
