"""werkzeug's development server: opened around one request of any WSGI application."""

from __future__ import annotations

from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.frameworks import serving


def version() -> str | None:
    """None: werkzeug does not tell it any more, and its metadata is not worth the reading."""
    return None


def patch(module: ModuleType) -> None:
    """Wraps what runs the application; `module` is `werkzeug.serving`."""
    patching.replace(module.WSGIRequestHandler, "run_wsgi", _wrap_run)


def _wrap_run(original: Any) -> Any:
    @wraps(original)
    def run_wsgi(self: Any) -> Any:
        request = _opened(self)
        if request is None:
            return original(self)
        with request:
            return original(self)

    return run_wsgi


class _Served(serving.Served):
    def __init__(self, handler: Any) -> None:
        super().__init__(handler, serving.peer(handler.client_address))

    def find_method(self) -> str:
        return str(self.source.command)

    def find_path(self) -> str:
        return serving.without_query(self.source.path)

    def header(self, name: str) -> str | None:
        return serving.joined(self.source.headers.get_all(name, ()))


_opened = serving.opening("werkzeug", _Served)
