"""werkzeug's development server: opened around one request of any WSGI application."""

from __future__ import annotations

from functools import partial, wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.frameworks import serving
from anchor_autopatch.host.request_context import Request


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


def _find(handler: Any) -> Request:
    return serving.Served(
        method=handler.command,
        path=serving.without_query(handler.path),
        header=partial(_header, handler.headers),
        peer=serving.peer(handler.client_address),
    )


_opened = serving.opening("werkzeug", _find)


def _header(headers: Any, name: str) -> str | None:
    return serving.joined(headers.get_all(name, ()))
