"""WSGI (PEP 3333): the facts of an environ, and answers that are made while they are sent."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, wraps
from typing import Any
from urllib.parse import quote

from anchor_autopatch.host import patching
from anchor_autopatch.host.frameworks import serving
from anchor_autopatch.host.request_context import Request

_FINISHED = (list, tuple, bytes)


class _Environ(serving.Served):
    """The request that an environ describes."""

    def find_method(self) -> str:
        return str(self.source["REQUEST_METHOD"])

    def find_path(self) -> str:
        # As it was received, which gunicorn, uWSGI and werkzeug tell under these names.
        target = self.source.get("RAW_URI") or self.source.get("REQUEST_URI")
        if target:
            return serving.without_query(target)
        decoded = self.source.get("SCRIPT_NAME", "") + self.source.get("PATH_INFO", "")
        return quote(decoded.encode("latin-1", "replace"))

    def header(self, name: str) -> str | None:
        value = self.source.get(_key(name))
        return value if isinstance(value, str) else None

    def look(self, place: str, name: str) -> object:
        return self.source.get(name) if place == "environ" else None


@cache  # a policy asks for few headers, and always for the same
def _key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def opened(environ: dict[str, Any]) -> serving.Served | None:
    """The request of an environ, open until somebody leaves it; None when it is open already."""
    return serving.entered(_Environ(environ, environ.get("REMOTE_ADDR") or "unix"))


def wrap_application(target: str) -> Any:
    """Makes the `__call__(self, environ, start_response)` of a framework open its requests."""
    find = patching.guarded(target)(opened)
    off = patching.off

    def make(original: Any) -> Any:
        @wraps(original)
        def __call__(self: Any, environ: Any, start_response: Any) -> Any:  # noqa: N807
            request = None if target in off else find(environ)
            if request is None:
                return original(self, environ, start_response)
            # Not `with`: its look for two methods and their arguments cost as much as a call.
            try:
                answer = original(self, environ, start_response)
            finally:
                request.leave()
            return answer if type(answer) is request.finished else _bound(answer, request)

        return __call__

    return make


def _bound(answer: Any, request: serving.Served) -> Any:
    """The answer, every step of which runs with the request open, if any of it is still to be made.

    A sized answer is made already. A file must stay what the server's `wsgi.file_wrapper` made of
    it, or the server sends it byte by byte.
    """
    if isinstance(answer, _FINISHED) or hasattr(type(answer), "__len__"):
        return answer
    file_wrapper = request.source.get("wsgi.file_wrapper")
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

    def close(self) -> None:
        """Closes the application's iterable, if it can be closed."""
        close = getattr(self._answer, "close", None)
        if close is not None:
            with self._request:
                close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answer, name)
