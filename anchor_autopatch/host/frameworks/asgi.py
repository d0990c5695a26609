"""ASGI 3: the facts of a scope. Answers and background tasks run within the application's call."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial, wraps
from typing import Any

from anchor_autopatch.host.frameworks import serving
from anchor_autopatch.host.request_context import Request


def opened(scope: dict[str, Any]) -> Request | None:
    """The request or WebSocket of a scope; None for a lifespan, or when it is open already."""
    if scope["type"] not in ("http", "websocket"):
        return None
    method, path = scope.get("method"), _path(scope)
    if serving.is_open(method, path):
        return None
    return serving.Served(
        method=method,
        path=path,
        header=partial(_header, scope["headers"]),
        peer=_peer(scope),
        lookup=partial(_lookup, scope),
    )


def _path(scope: dict[str, Any]) -> str:
    raw = scope.get("raw_path")
    return serving.without_query(raw.decode("latin-1")) if raw else str(scope["path"])


def _header(headers: Iterable[tuple[bytes, bytes]], name: str) -> str | None:
    wanted = name.encode("latin-1")
    return serving.joined(
        [value.decode("latin-1") for key, value in headers if key.lower() == wanted]
    )


def _peer(scope: dict[str, Any]) -> str | None:
    client = scope.get("client")
    if client:
        return serving.peer(client)
    # ASGI: the server is [path, None] where it listens on a Unix socket.
    server = scope.get("server")
    return "unix" if server and server[1] is None else None


def _lookup(scope: dict[str, Any], place: str, name: str) -> object:
    if place == "environ":
        return scope.get(name)
    # Starlette's names, which other ASGI frameworks have taken over.
    value = scope.get(place)
    if place == "state":
        value = getattr(value, "_state", value)
    return serving.dig(value, name)


def wrap_application(target: str) -> Any:
    """Makes the `__call__(self, scope, receive, send)` of a framework open its requests."""
    find = serving.opening(target, opened)

    def make(original: Any) -> Any:
        @wraps(original)
        async def __call__(self: Any, scope: Any, receive: Any, send: Any) -> Any:  # noqa: N807
            request = find(scope)
            if request is None:
                return await original(self, scope, receive, send)
            with request:
                return await original(self, scope, receive, send)

        return __call__

    return make


def served(application: Any, target: str) -> Any:
    """What a server calls in an application's stead: the same, with the request open."""
    find = serving.opening(target, _opened_by_server)

    @wraps(application, updated=())
    async def serve(scope: Any, receive: Any, send: Any) -> Any:
        request = find(scope)
        if request is None:
            return await application(scope, receive, send)
        with request:
            return await application(scope, receive, send)

    return serve


def _opened_by_server(scope: dict[str, Any]) -> Request | None:
    serving.forget_former()
    return opened(scope)
