"""Starlette and FastAPI under uvicorn, with and without uvloop, and below gunicorn."""

from __future__ import annotations

import socket

import pytest
import websockets.sync.client

from tests.frameworks.serving import Asked, asked

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
        pytest.param(
            (*GUNICORN, "starlette_app:fastapi"), FASTAPI, id="gunicorn", marks=pytest.mark.slow
        ),
    ],
)
def test_interleaved_requests_are_kept_apart(site, command, routes):
    requests = asked(routes, 500)
    port = site.serve(*command)

    site.ask_all(port, requests)

    site.judge(requests)


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_pipelined_requests_of_one_connection_are_kept_apart(site, http):
    requests = asked({"/plain/NAME": "/plain/{name}"}, 30)
    port = site.serve(*UVICORN, "--http", http, "starlette_app:fastapi")

    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(b"".join(map(_wire, requests)))
        answers = b""
        while answers.count(b"HTTP/1.1 200") < len(requests):
            answers += connection.recv(65536)

    site.judge(requests)


def _wire(request):
    headers = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"GET {request.path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n".encode()


def test_websocket_is_one_request(site):
    requests = asked({"/socket/NAME": "/socket/{name}"}, 20)
    port = site.serve(*UVICORN, "starlette_app:starlette")

    for request in requests:
        url = f"ws://127.0.0.1:{port}{request.path}"
        with websockets.sync.client.connect(url, additional_headers=request.headers) as connection:
            connection.recv()

    site.judge(requests)


def test_client_that_goes_away_leaves_nothing_to_the_next(site):
    requests = asked({"/plain/NAME": "/plain/{name}", "/thread/NAME": "/thread/{name}"}, 40)
    port = site.serve(*UVICORN, "starlette_app:fastapi")

    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            connection.sendall(_wire(Asked("u99", "/waiting/u99", None)))
    site.ask_all(port, requests)

    site.judge(requests)
