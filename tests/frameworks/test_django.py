"""Django by WSGI and by ASGI."""

from __future__ import annotations

import pytest

from tests.frameworks.serving import asked

SYNC = {
    "/plain/NAME": "/plain/<str:name>",
    "/stream/NAME": "/stream/<str:name>",
    "/background/NAME": "/background/<str:name>",
    "/shop/items/7/NAME": "/shop/items/<int:item>/<str:name>",
}
ASYNC = {"/async/NAME": "/async/<str:name>", "/stream-async/NAME": "/stream-async/<str:name>"}
GUNICORN = ("-m", "gunicorn", "-b", "127.0.0.1:PORT", "--graceful-timeout", "5", "django_app:wsgi")
UVICORN = ("-m", "uvicorn", "--port", "PORT", "django_app:asgi")


@pytest.mark.parametrize(
    ("command", "routes"),
    [
        pytest.param(
            (*GUNICORN, "-w", "2", "--preload"),
            SYNC,
            id="gunicorn --preload",
            marks=pytest.mark.slow,
        ),
        pytest.param((*GUNICORN, "--threads", "4"), SYNC, id="gunicorn threads"),
        pytest.param(
            ("-m", "waitress", "--port=PORT", "django_app:wsgi"),
            SYNC,
            id="waitress",
            marks=pytest.mark.slow,
        ),
        pytest.param(UVICORN, SYNC | ASYNC, id="uvicorn"),
    ],
)
def test_interleaved_requests_are_kept_apart(site, command, routes):
    requests = asked(routes, 500)
    port = site.serve(*command)

    site.ask_all(port, requests)

    site.judge(requests)
