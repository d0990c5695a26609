"""httpx2: the same shape as httpx, in another package; both may live in one process."""

from __future__ import annotations

import sys
from types import ModuleType

from anchor_autopatch.host.clients.httpx import patch_family


def version() -> str | None:
    """The imported library's version."""
    return getattr(sys.modules.get("httpx2.__version__"), "__version__", None)


def patch(client: ModuleType) -> None:
    """Wraps what sends and what streams; `client` is `httpx2._client`."""
    patch_family(client, "httpx2")
