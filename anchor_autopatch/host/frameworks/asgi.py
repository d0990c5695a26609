"""ASGI 3: the facts of a scope. Answers and background tasks run within the application's call."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, wraps
from typing import Any, NamedTuple

from anchor_autopatch.host import patching
from anchor_autopatch.host.frameworks import serving


class _Scope(serving.Served):
    """The request or WebSocket that a scope describes."""

    def find_method(self) -> str | None:
        # A WebSocket has none.
        method: str | None = self.source.get("method")
        return method

    def find_path(self) -> str:
        raw = self.source.get("raw_path")
        return serving.without_query(raw.decode("latin-1")) if raw else str(self.source["path"])

    def header(self, name: str) -> str | None:
        given = self.source["headers"]
        known = self.headers
        # A dozen names are asked for one after the other: a search of the list for each took half
        # of what an attribution costs. Made anew where a middleware has put in headers of its own.
        if known is None or known.of is not given or known.length != len(given):
            known = self.headers = _Headers(given, len(given), _by_name(given))
        value = known.values.get(_key(name))
        return value.decode("latin-1") if value else None

    def look(self, place: str, name: str) -> object:
        if place == "environ":
            return self.source.get(name)
        # Starlette's names, which other ASGI frameworks have taken over.
        value = self.source.get(place)
        return serving.dig(getattr(value, "_state", value) if place == "state" else value, name)


class _Headers(NamedTuple):
    """The headers of a scope by their names, as they were when they were looked at."""

    of: Any
    length: int
    values: dict[bytes, bytes]


def _by_name(given: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Lower-case name -> value; those of one name joined (RFC 9110, section 5.3)."""
    found: dict[bytes, bytes] = {}
    for key, value in given:
        name = key.lower()
        found[name] = found[name] + b"," + value if name in found else value
    return found


@cache  # a policy asks for few headers, and always for the same
def _key(name: str) -> bytes:
    return name.encode("latin-1")


def _peer(scope: dict[str, Any]) -> str | None:
    client = scope.get("client")
    if client:
        return str(client[0])
    # ASGI: the server is [path, None] where it listens on a Unix socket.
    server = scope.get("server")
    return "unix" if server and server[1] is None else None


def opened(scope: dict[str, Any]) -> serving.Served | None:
    """The request or WebSocket of a scope, open until somebody leaves it.

    None for a lifespan, or when it is open already.
    """
    if scope["type"] not in ("http", "websocket"):
        return None
    return serving.entered(_Scope(scope, _peer(scope)))


def wrap_application(target: str) -> Any:
    """Makes the `__call__(self, scope, receive, send)` of a framework open its requests."""
    find = patching.guarded(target)(opened)
    off = patching.off

    def make(original: Any) -> Any:
        @wraps(original)
        async def __call__(self: Any, scope: Any, receive: Any, send: Any) -> Any:  # noqa: N807
            request = None if target in off else find(scope)
            if request is None:
                return await original(self, scope, receive, send)
            try:
                return await original(self, scope, receive, send)
            finally:
                request.leave()

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
        try:
            return await application(scope, receive, send)
        finally:
            request.leave()

    return serve


def _opened_by_server(scope: dict[str, Any]) -> serving.Served | None:
    serving.forget_former()
    return opened(scope)
