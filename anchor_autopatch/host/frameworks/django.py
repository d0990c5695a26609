"""Django, WSGI and ASGI: opened around the handler, its route known when Django has resolved it.

Nothing that Django has not loaded by itself is loaded for an attribution: a query of ours could
break the application's transaction or the count of queries that its tests make.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial, wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.frameworks import asgi, serving, wsgi
from anchor_autopatch.host.request_context import Request, inbound


def version() -> str | None:
    """The imported framework's version."""
    django = sys.modules.get("django")
    return django.get_version() if django is not None else None


def patch(module: ModuleType) -> None:
    """Wraps one of the modules below `django.core.handlers`."""
    _PATCHES[module.__name__](module)


def _patch_base(base: ModuleType) -> None:
    patching.replace(base.BaseHandler, "resolve_request", _wrap_resolve)


def _patch_wsgi(handlers: ModuleType) -> None:
    patching.replace(handlers.WSGIHandler, "__call__", _wrap_wsgi)


def _patch_asgi(handlers: ModuleType) -> None:
    patching.replace(handlers.ASGIHandler, "__call__", asgi.wrap_application("django"))


_PATCHES = {
    "django.core.handlers.base": _patch_base,
    "django.core.handlers.wsgi": _patch_wsgi,
    "django.core.handlers.asgi": _patch_asgi,
}
_opened = patching.guarded("django")(wsgi.opened)


def _wrap_wsgi(original: Any) -> Any:
    off = patching.off

    @wraps(original)
    def __call__(self: Any, environ: Any, start_response: Any) -> Any:  # noqa: N807
        # Asked here, not below the guard: a function less for every request.
        request = None if "django" in off else _opened(environ)
        if request is None:
            return original(self, environ, start_response)
        try:
            response = original(self, environ, start_response)
        finally:
            request.leave()
        # The response itself is the iterable, and callers read its attributes: it is not replaced.
        if getattr(response, "streaming", False):
            _bind_stream(response, request)
        return response

    return __call__


@patching.guarded("django")
def _bind_stream(response: Any, request: Request) -> None:
    steps = _AsyncSteps if response.is_async else _Steps
    response._iterator = steps(response._iterator, request)


class _Steps:
    """An iterator with the request open in each of its steps; Django closes what is behind it."""

    __slots__ = ("_request", "_steps")

    def __init__(self, steps: Iterator[Any], request: Request) -> None:
        self._steps = steps
        self._request = request

    def __iter__(self) -> _Steps:
        return self

    def __next__(self) -> Any:
        with self._request:
            return next(self._steps)


class _AsyncSteps:
    """The same for an asynchronous iterator, which Django collects before it sends by WSGI."""

    __slots__ = ("_request", "_steps")

    def __init__(self, steps: Any, request: Request) -> None:
        self._steps = steps
        self._request = request

    def __aiter__(self) -> _AsyncSteps:
        return self

    async def __anext__(self) -> Any:
        with self._request:
            return await anext(self._steps)


def _wrap_resolve(original: Any) -> Any:
    @wraps(original)
    def resolve_request(self: Any, request: Any) -> Any:
        match = original(self, request)
        served = inbound.get()
        if isinstance(served, serving.Served):
            if served.pending is not None:
                served.settle()
            # Looked into when a provider call asks, and most requests make none.
            served.pending = (_matched, request, match)
            served.resolved = None
        return match

    return resolve_request


@patching.guarded("django")
def _matched(served: serving.Served, request: Any, match: Any) -> None:
    served.matched(f"/{match.route}", partial(_lookup, request))


def _lookup(served: Any, place: str, name: str) -> object:
    if place == "environ":
        return served.META.get(name)
    if place == "session":
        session = getattr(served, "session", None)
        return serving.dig(getattr(session, "_session_cache", None), name)
    if place == "user":
        # What `request.user` loads on first use; `_acached_user` is that of `request.auser()`.
        for cached in ("_cached_user", "_acached_user"):
            user = vars(served).get(cached)
            if user is not None:
                return serving.dig(user, name)
        return None
    # Past properties, of which some load: what the application has put on the request.
    return serving.dig(vars(served), name) if place == "state" else None
