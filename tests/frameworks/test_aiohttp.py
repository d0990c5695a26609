"""aiohttp's own server."""

from __future__ import annotations

from tests.frameworks.serving import asked

ROUTES = {
    "/plain/{name}": "/plain/NAME",
    "/thread/{name}": "/thread/NAME",
    "/stream/{name}": "/stream/NAME",
    "/background/{name}": "/background/NAME",
    "/shop/items/{item}/{name}": "/shop/items/7/NAME",
}


def test_interleaved_requests_are_kept_apart(site):
    requests = asked(ROUTES, 500)
    port = site.serve("-m", "aiohttp_app", "PORT")

    site.ask_all(port, requests)

    site.judge(requests)
