"""Runs in `.venvs/frameworks`: for each line on stdin a block of requests; answers in us each."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults

if TYPE_CHECKING:
    from starlette.requests import Request

_BLOCK = 400
_HEADERS = {"x-user": "u1", "x-owner-team": "search", "x-owner-request-id": "r1"}


def _who() -> None:
    """What the first provider call of a request has to find out."""
    if "anchor_autopatch.host.startup" in sys.modules:
        from anchor_autopatch.host.attribution import resolving

        resolving.at_call("views:chat", None)


def _flask() -> Callable[[str], object]:
    from flask import Flask

    app = Flask(__name__)
    app.add_url_rule("/quiet/<name>", "quiet", lambda name: name)
    app.add_url_rule("/asking/<name>", "asking", lambda name: (_who(), name)[1])
    return lambda route: _wsgi(app, route)


def _django() -> Callable[[str], object]:
    import django
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path

    urls = type("urls", (), {})
    urls.urlpatterns = [
        path("quiet/<str:name>", lambda _, name: HttpResponse(name)),
        path("asking/<str:name>", lambda _, name: HttpResponse((_who(), name)[1])),
    ]
    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=urls, SECRET_KEY="x", MIDDLEWARE=[])
    django.setup()
    app = get_wsgi_application()
    return lambda route: _wsgi(app, route)


def _wsgi(app: Callable[..., Any], route: str) -> None:
    environ = {"PATH_INFO": f"/{route}/7", "REMOTE_ADDR": "127.0.0.1"}
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": text for name, text in _HEADERS.items()}
    setup_testing_defaults(environ)
    answer = app(environ, lambda *_: None)
    b"".join(answer)
    answer.close()


def _starlette() -> Callable[[str], object]:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def quiet(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.path_params["name"])

    async def asking(request: Request) -> PlainTextResponse:
        _who()
        return PlainTextResponse(request.path_params["name"])

    app = Starlette(routes=[Route("/quiet/{name}", quiet), Route("/asking/{name}", asking)])
    loop = asyncio.new_event_loop()
    return lambda route: loop.run_until_complete(_asgi(app, route))


async def _asgi(app: Callable[..., Any], route: str) -> None:
    path = f"/{route}/7"
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(name.encode(), text.encode()) for name, text in _HEADERS.items()],
        "client": ("127.0.0.1", 5000), "server": ("127.0.0.1", 80), "scheme": "http",
    }  # fmt: skip

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: object) -> None:
        pass

    await app(scope, receive, send)


def main() -> None:
    """Answers until stdin ends."""
    ask = {"flask": _flask, "django": _django, "starlette": _starlette}[sys.argv[1]]()
    for line in sys.stdin:
        route, took = line.strip(), []
        for _ in range(_BLOCK):
            began = time.perf_counter_ns()
            ask(route)
            took.append((time.perf_counter_ns() - began) / 1000)
        print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main()
