"""Starlette and FastAPI under uvicorn, with and without uvloop, and below gunicorn."""

from __future__ import annotations

import pytest

from tests.frameworks.serving import asked

STARLETTE = {
    "/plain/{name}": "/plain/NAME",
    "/thread/{name}": "/thread/NAME",
    "/stream/{name}": "/stream/NAME",
    "/stream-thread/{name}": "/stream-thread/NAME",
    "/background/{name}": "/background/NAME",
    "/shop/{shop}/items/{item}/{name}": "/shop/3/items/7/NAME",
}
FASTAPI = {
    "/plain/{name}": "/plain/NAME",
    "/thread/{name}": "/thread/NAME",
    "/dependency/{name}": "/dependency/NAME",
    "/stream/{name}": "/stream/NAME",
    "/background/{name}": "/background/NAME",
    "/shop/items/{item}/{name}": "/shop/items/7/NAME",
    "/mounted/shop/{shop}/items/{item}/{name}": "/mounted/shop/3/items/7/NAME",
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
