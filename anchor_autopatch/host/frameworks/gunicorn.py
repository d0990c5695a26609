"""gunicorn's workers: opened around one request, of any WSGI or ASGI application."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.frameworks import asgi, serving


def version() -> str | None:
    """The imported server's version."""
    return getattr(sys.modules.get("gunicorn"), "__version__", None)


def patch(module: ModuleType) -> None:
    """Wraps the worker class of one of the modules below `gunicorn.workers`."""
    _PATCHES[module.__name__](module)


def _patch_sync(sync: ModuleType) -> None:
    patching.replace(sync.SyncWorker, "handle_request", _wrap(_second_and_fourth))


def _patch_async(base: ModuleType) -> None:
    patching.replace(base.AsyncWorker, "handle_request", _wrap(_second_and_fourth))
    patching.replace_if_present(base.AsyncWorker, "handle_http2_request", _wrap(_second_and_fourth))


def _patch_threads(gthread: ModuleType) -> None:
    patching.replace(gthread.ThreadWorker, "handle_request", _wrap(_with_connection))
    patching.replace_if_present(
        gthread.ThreadWorker, "handle_http2_request", _wrap(_with_connection)
    )


def _patch_asgi(gasgi: ModuleType) -> None:
    patching.replace(gasgi.ASGIWorker, "load_wsgi", _wrap_load)


_PATCHES = {
    "gunicorn.workers.sync": _patch_sync,
    "gunicorn.workers.base_async": _patch_async,
    "gunicorn.workers.gthread": _patch_threads,
    "gunicorn.workers.gasgi": _patch_asgi,
}


class _Served(serving.Served):
    def __init__(self, request: Any, address: Any) -> None:
        super().__init__(request, serving.peer(address))

    def find_method(self) -> str:
        return str(self.source.method)

    def find_path(self) -> str:
        return serving.without_query(self.source.uri)

    def header(self, name: str) -> str | None:
        wanted = name.upper()
        return serving.joined([text for key, text in self.source.headers if key.upper() == wanted])


def _second_and_fourth(_listener: Any, request: Any, _socket: Any, address: Any, *_: Any) -> Any:
    return request, address


def _with_connection(request: Any, connection: Any, *_: Any) -> Any:
    return request, connection.client


def _wrap(facts: Callable[..., Any]) -> Any:
    def find(args: tuple[Any, ...]) -> _Served:
        return _Served(*facts(*args))

    opened = serving.opening("gunicorn", find)

    def make(original: Any) -> Any:
        @wraps(original)
        def handle_request(self: Any, *args: Any) -> Any:
            request = opened(args)
            if request is None:
                return original(self, *args)
            # Until the whole answer has been sent: a streamed one is made meanwhile.
            with request:
                return original(self, *args)

        return handle_request

    return make


def _wrap_load(original: Any) -> Any:
    @wraps(original)
    def load_wsgi(self: Any) -> None:
        original(self)
        self.asgi = asgi.served(self.asgi, "gunicorn")

    return load_wsgi
