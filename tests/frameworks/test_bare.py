"""Applications without a framework: the server opens their requests, without a route."""

from __future__ import annotations

import pytest

from tests.frameworks.serving import Asked

UVICORN = ("-m", "uvicorn", "--port", "PORT")
GUNICORN = ("-m", "gunicorn", "-b", "127.0.0.1:PORT", "--graceful-timeout", "5")
WERKZEUG = ("-c", "import bare_app, werkzeug.serving as s; s.run_simple('127.0.0.1', PORT,"
                  " bare_app.wsgi, threaded=True)")  # fmt: skip


@pytest.mark.parametrize(
    "command",
    [
        pytest.param((*UVICORN, "bare_app:asgi"), id="uvicorn"),
        pytest.param(
            (*UVICORN, "--interface", "wsgi", "bare_app:wsgi"),
            id="uvicorn wsgi",
            marks=pytest.mark.slow,
        ),
        pytest.param((*GUNICORN, "-w", "2", "bare_app:wsgi"), id="gunicorn"),
        pytest.param(
            (*GUNICORN, "-k", "asgi", "bare_app:asgi"), id="gunicorn asgi", marks=pytest.mark.slow
        ),
        pytest.param(WERKZEUG, id="werkzeug", marks=pytest.mark.slow),
    ],
)
def test_interleaved_requests_are_kept_apart(site, command):
    paths = ("/plain/", "/stream/")
    requests = [Asked(f"u{n}", f"{paths[n % 2]}u{n}", None) for n in range(500)]
    port = site.serve(*command)

    site.ask_all(port, requests)

    site.judge(requests)
