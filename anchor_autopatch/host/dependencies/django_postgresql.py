"""Django over PostgreSQL: a persistent connection that is found dead is replaced."""

from __future__ import annotations

import sys
from types import ModuleType

from anchor_autopatch.host import patching
from anchor_autopatch.host.dependencies import watching


def version() -> str | None:
    """The imported framework's version."""
    found: str | None = getattr(sys.modules.get("django"), "__version__", None)
    return found


def patch(module: ModuleType) -> None:
    """Quiets the health check; `module` is `django.db.backends.postgresql.base`."""
    patching.replace(module.DatabaseWrapper, "is_usable", watching.quiet)
