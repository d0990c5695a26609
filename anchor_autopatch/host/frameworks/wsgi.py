"""WSGI (PEP 3333): the facts of an environ, and answers that are made while they are sent."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial, wraps
from typing import Any
from urllib.parse import quote

from anchor_autopatch.host.frameworks import serving
from anchor_autopatch.host.request_context import Request

_FINISHED = (list, tuple, bytes)


def opened(environ: dict[str, Any]) -> Request | None:
    """The request of an environ; None when it is open already."""
    method, path = environ["REQUEST_METHOD"], _path(environ)
    if serving.is_open(method, path):
        return None
    return serving.Served(
        method=method,
        path=path,
        header=partial(_header, environ),
        peer=environ.get("REMOTE_ADDR") or "unix",
        lookup=partial(_lookup, environ),
    )


def _path(environ: dict[str, Any]) -> str:
    # As it was received, which gunicorn and uWSGI or werkzeug tell under these names.
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if target:
        return serving.without_query(target)
    decoded = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return quote(decoded.encode("latin-1", "replace"))


def _header(environ: dict[str, Any], name: str) -> str | None:
    key = name.upper().replace("-", "_")
    if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        key = f"HTTP_{key}"
    value = environ.get(key)
    return value if isinstance(value, str) else None


def _lookup(environ: dict[str, Any], place: str, name: str) -> object:
    return environ.get(name) if place == "environ" else None


def wrap_application(target: str) -> Any:
    """Makes the `__call__(self, environ, start_response)` of a framework open its requests."""
    find = serving.opening(target, opened)

    def make(original: Any) -> Any:
        @wraps(original)
        def __call__(self: Any, environ: Any, start_response: Any) -> Any:  # noqa: N807
            request = find(environ)
            if request is None:
                return original(self, environ, start_response)
            with request:
                answer = original(self, environ, start_response)
            return bound_to(request, answer, environ)

        return __call__

    return make


def bound_to(request: Request, answer: Any, environ: dict[str, Any]) -> Any:
    """The answer, every step of which runs with the request open, if any of it is still to be made.

    A sized answer is made already. A file must stay what the server's `wsgi.file_wrapper` made of
    it, or the server sends it byte by byte.
    """
    if isinstance(answer, _FINISHED) or hasattr(type(answer), "__len__"):
        return answer
    file_wrapper = environ.get("wsgi.file_wrapper")
    if isinstance(file_wrapper, type) and isinstance(answer, file_wrapper):
        return answer
    return _Answer(answer, request)


class _Answer:
    """The iterable of an application, with the request open in each step and while it is closed."""

    __slots__ = ("_answer", "_request", "_steps")

    def __init__(self, answer: Any, request: Request) -> None:
        self._answer = answer
        self._request = request
        self._steps: Iterator[bytes] | None = None

    def __iter__(self) -> _Answer:
        return self

    def __next__(self) -> bytes:
        with self._request:
            if self._steps is None:
                self._steps = iter(self._answer)
            return next(self._steps)

    def __getattr__(self, name: str) -> Any:
        # `close` only where the application's iterable has one: servers ask.
        found = getattr(self._answer, name)
        if name != "close":
            return found

        def close() -> None:
            with self._request:
                found()

        return close
