"""aiohttp's server: opened around one request of a connection, whichever runner serves it."""

from __future__ import annotations

import sys
from functools import partial, wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.frameworks import serving


def version() -> str | None:
    """The imported library's version."""
    return getattr(sys.modules.get("aiohttp"), "__version__", None)


def patch(web_protocol: ModuleType) -> None:
    """Wraps what serves one request; `web_protocol` is `aiohttp.web_protocol`."""
    patching.replace(web_protocol.RequestHandler, "_handle_request", _wrap_handle)


def _wrap_handle(original: Any) -> Any:
    @wraps(original)
    async def _handle_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        served = _opened(request)
        if served is None:
            return await original(self, request, *args, **kwargs)
        with served:
            return await original(self, request, *args, **kwargs)

    return _handle_request


class _Served(serving.Served):
    def __init__(self, request: Any) -> None:
        transport = request.transport
        address = transport.get_extra_info("peername") if transport is not None else None
        super().__init__(request, serving.peer(address))
        self.template = partial(_route, request)

    def find_method(self) -> str:
        return str(self.source.method)

    def find_path(self) -> str:
        return serving.without_query(self.source.raw_path)

    def header(self, name: str) -> str | None:
        return serving.joined(self.source.headers.getall(name, ()))

    def look(self, place: str, name: str) -> object:
        if place == "state":
            return serving.dig(self.source, name)
        # aiohttp-session keeps its session under this name.
        key = {"session": "aiohttp_session", "user": "user"}.get(place)
        return serving.dig(self.source.get(key), name) if key is not None else None


def _route(request: Any) -> str | None:
    # A bare server has no routes, what matched none has one without a resource; the public
    # `match_info` may not be asked before the application has resolved it.
    match = getattr(request, "_match_info", None)
    resource = getattr(getattr(match, "route", None), "resource", None)
    return resource.canonical if resource is not None else None


_opened = serving.opening("aiohttp-server", _Served)
