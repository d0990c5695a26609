"""Starlette and FastAPI under uvicorn, with and without uvloop, and below gunicorn."""

from __future__ import annotations

import pytest

from tests.frameworks.serving import asked

STARLETTE = {
    "/plain/NAME": "/plain/{name}",
    "/thread/NAME": "/thread/{name}",
    "/stream/NAME": "/stream/{name}",
    "/stream-thread/NAME": "/stream-thread/{name}",
    "/background/NAME": "/background/{name}",
    "/shop/3/items/7/NAME": "/shop/{shop}/items/{item}/{name}",
}
FASTAPI = {
    "/plain/NAME": "/plain/{name}",
    "/thread/NAME": "/thread/{name}",
    "/dependency/NAME": "/dependency/{name}",
    "/stream/NAME": "/stream/{name}",
    "/background/NAME": "/background/{name}",
    "/shop/items/7/NAME": "/shop/items/{item}/{name}",
    "/mounted/shop/3/items/7/NAME": "/mounted/shop/{shop}/items/{item}/{name}",
}
UVICORN = ("-m", "uvicorn", "--port", "PORT")
GUNICORN = ("-m", "gunicorn", "-b", "127.0.0.1:PORT", "--graceful-timeout", "5", "-k", "asgi")


@pytest.mark.parametrize(
    ("command", "routes"),
    [
        pytest.param((*UVICORN, "starlette_app:starlette"), STARLETTE, id="starlette"),
        pytest.param(
            (*UVICORN, "--loop", "asyncio", "--workers", "2", "starlette_app:fastapi"),
            FASTAPI,
            id="fastapi",
        ),
        pytest.param((*GUNICORN, "starlette_app:fastapi"), FASTAPI, id="gunicorn"),
    ],
)
def test_interleaved_requests_are_kept_apart(site, command, routes):
    requests = asked(routes, 500)
    port = site.serve(*command)

    site.ask_all(port, requests)

    site.judge(requests)
