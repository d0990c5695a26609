"""Starlette and FastAPI: opened around the application, its route known when one is entered."""

from __future__ import annotations

import sys
from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.frameworks import asgi, serving
from anchor_autopatch.host.request_context import inbound


def version() -> str | None:
    """The imported framework's version."""
    return getattr(sys.modules.get("starlette"), "__version__", None)


def patch(module: ModuleType) -> None:
    """Wraps `starlette.applications`, `starlette.routing` or `fastapi.routing`."""
    _PATCHES[module.__name__](module)


def _patch_applications(applications: ModuleType) -> None:
    patching.replace(applications.Starlette, "__call__", asgi.wrap_application("starlette"))


def _patch_routing(routing: ModuleType) -> None:
    patching.replace(routing.Route, "handle", _wrap_handle)
    patching.replace(routing.WebSocketRoute, "handle", _wrap_handle)
    patching.replace(routing.Mount, "handle", _wrap_mount)


def _patch_fastapi(routing: ModuleType) -> None:
    # Versions from 2026 on keep an included router apart, and the path under which it was included
    # in the scope; before, its routes were copied with their full path.
    patching.replace_if_present(routing.APIRoute, "handle", _wrap_handle)


_PATCHES = {
    "starlette.applications": _patch_applications,
    "starlette.routing": _patch_routing,
    "fastapi.routing": _patch_fastapi,
}


def _wrap_handle(original: Any) -> Any:
    @wraps(original)
    async def handle(self: Any, scope: Any, receive: Any, send: Any) -> None:
        _matched(self, scope)
        await original(self, scope, receive, send)

    return handle


@patching.guarded("starlette")
def _matched(route: Any, scope: dict[str, Any]) -> None:
    effective = scope.get("fastapi", {}).get("effective_route_context")
    if effective is not None and effective.original_route is route:
        route = effective
    serving.matched(route.path_format)


@patching.guarded("starlette")
def _mounted() -> None:
    serving.matched("")


def _wrap_mount(original: Any) -> Any:
    @wraps(original)
    async def handle(self: Any, scope: Any, receive: Any, send: Any) -> None:
        request = inbound.get()
        if not isinstance(request, serving.Served):
            await original(self, scope, receive, send)
            return
        before = request.prefix
        request.prefix = before + self.path_format.removesuffix("/{path}")
        # The route as far as it is known: what is mounted may have no routes of its own.
        _mounted()
        try:
            await original(self, scope, receive, send)
        finally:
            request.prefix = before

    return handle
