"""aiohttp's own server."""

from __future__ import annotations

from tests.frameworks.serving import asked

ROUTES = {
    "/plain/NAME": "/plain/{name}",
    "/thread/NAME": "/thread/{name}",
    "/stream/NAME": "/stream/{name}",
    "/background/NAME": "/background/{name}",
    "/forgetful/NAME": "/forgetful/{name}",
    "/shop/items/7/NAME": "/shop/items/{item}/{name}",
}


def test_interleaved_requests_are_kept_apart(site):
    requests = asked(ROUTES, 500)
    port = site.serve("-m", "aiohttp_app", "PORT")

    site.ask_all(port, requests)

    site.judge(requests)
