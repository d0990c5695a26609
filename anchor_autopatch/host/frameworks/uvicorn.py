"""uvicorn: opened around the application that a configuration has loaded, whatever it is."""

from __future__ import annotations

import sys
from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.frameworks import asgi


def version() -> str | None:
    """The imported server's version."""
    return getattr(sys.modules.get("uvicorn"), "__version__", None)


def patch(config: ModuleType) -> None:
    """Wraps what loads the application; `config` is `uvicorn.config`."""
    patching.replace(config.Config, "load", _wrap_load)


def _wrap_load(original: Any) -> Any:
    @wraps(original)
    def load(self: Any) -> None:
        original(self)
        # Outside uvicorn's own middleware, which puts a header's address in the peer's place.
        self.loaded_app = asgi.served(self.loaded_app, "uvicorn")

    return load
