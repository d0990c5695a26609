"""aiohttp's server: opened around one request of a connection, whichever runner serves it."""

from __future__ import annotations

import sys
from functools import partial, wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.frameworks import serving
from anchor_autopatch.host.request_context import Request


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


def _find(request: Any) -> Request:
    transport = request.transport
    address = transport.get_extra_info("peername") if transport is not None else None
    return serving.Served(
        method=request.method,
        path=serving.without_query(request.raw_path),
        route=partial(_route, request),
        header=partial(_header, request),
        peer=serving.peer(address),
        lookup=partial(_lookup, request),
    )


_opened = serving.opening("aiohttp-server", _find)


def _route(request: Any) -> str | None:
    # A bare server has no routes, what matched none has one without a resource; the public
    # `match_info` may not be asked before the application has resolved it.
    match = getattr(request, "_match_info", None)
    resource = getattr(getattr(match, "route", None), "resource", None)
    return resource.canonical if resource is not None else None


def _header(request: Any, name: str) -> str | None:
    return serving.joined(request.headers.getall(name, ()))


def _lookup(request: Any, place: str, name: str) -> object:
    if place == "environ":
        return None
    # aiohttp-session keeps its session under this name.
    value = {"session": request.get("aiohttp_session"), "user": request.get("user")}.get(place)
    return serving.dig(request if place == "state" else value, name)
