"""One ASGI request, step by step: what is known of it, and what is left when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from anchor_autopatch import attribute, current
from anchor_autopatch.host.frameworks import asgi
from anchor_autopatch.host.request_context import current_request
from tests.frameworks import by_hand

pytestmark = pytest.mark.usefixtures("home")


def who():
    """What a call made now would carry, as a page."""
    found = current()
    return json.dumps([found.feature, found.user_id])


async def plain(request):
    return PlainTextResponse(who())


async def stream(request):
    async def steps():
        yield who()

    return StreamingResponse(steps())


async def session(request):
    request.session["user"] = {"id": "u1"}
    return PlainTextResponse(who())


async def state(request):
    request.state.tenant = "acme"
    request.scope["user"] = type("User", (), {"id": 7})()
    return PlainTextResponse(who())


async def inner(request):
    text, _ = await by_hand.asgi(app, "/plain/inner")
    return PlainTextResponse(f"{text}{who()}")


async def failing(request):
    raise KeyError("theirs")


async def waiting(request):
    await asyncio.sleep(3600)


async def bare(scope, receive, send):
    await PlainTextResponse(who())(scope, receive, send)


seen = []


async def early(request, call_next):
    seen.append(json.loads(who()))
    answer = await call_next(request)
    seen.append(json.loads(who()))
    return answer


app = Starlette(
    routes=[
        Route("/plain/{name}", plain),
        Route("/stream", stream),
        Route("/session", session),
        Route("/state", state),
        Route("/inner", inner),
        Route("/failing", failing),
        Route("/waiting", waiting),
        Mount("/bare/{tenant}", bare),
        Mount("/shop/{tenant}", routes=[Route("/items/{item:int}", plain)]),
    ],
    middleware=[
        Middleware(SessionMiddleware, secret_key="test"),
        Middleware(BaseHTTPMiddleware, dispatch=early),
    ],
)


async def page(route, **more):
    text, _ = await by_hand.asgi(app, route, **more)
    return json.loads(text)


@pytest.mark.parametrize(
    ("route", "template"),
    [
        ("/plain/7", "/plain/{name}"),
        ("/stream", "/stream"),
        ("/shop/3/items/7", "/shop/{tenant}/items/{item}"),
        ("/bare/3/anything", "/bare/{tenant}"),
    ],
)
def test_route_template_is_the_feature(route, template):
    assert asyncio.run(page(route)) == [template, None]


def test_middleware_knows_the_route_once_it_is_found():
    seen.clear()

    asyncio.run(page("/plain/7"))

    assert seen == [[None, None], ["/plain/{name}", None]]


def test_inner_request_does_not_change_the_outer_one():
    text, _ = asyncio.run(by_hand.asgi(app, "/inner"))

    assert text == '["/plain/{name}", null]["/inner", null]'


@pytest.mark.parametrize("route", ["/plain/7", "/failing"])
def test_context_is_clean_after_the_request(route):
    async def main():
        with contextlib.suppress(KeyError):
            await page(route)
        return current_request()

    assert asyncio.run(main()) is None


def test_cancelled_request_leaves_nothing():
    async def main():
        task = asyncio.create_task(page("/waiting"))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return current_request()

    assert asyncio.run(main()) is None


def test_requests_in_one_loop_are_kept_apart():
    async def main():
        routes = [f"/{kind}" for kind in ("plain/7", "stream", "shop/3/items/7")] * 20
        return await asyncio.gather(*(page(route) for route in routes))

    expected = [["/plain/{name}", None], ["/stream", None], ["/shop/{tenant}/items/{item}", None]]
    assert asyncio.run(main()) == expected * 20


@pytest.mark.parametrize(
    ("place", "route", "user"),
    [
        ("session:user.id", "/session", "u1"),
        ("user:id", "/state", "7"),
        ("state:tenant", "/state", "acme"),
        ("environ:method", "/plain/7", "GET"),
        ("session:nobody", "/session", None),
    ],
)
def test_user_is_found_where_the_policy_says(policy, place, route, user):
    policy(f"[inbound]\nuser_id = '{place}'\n")

    assert asyncio.run(page(route))[1] == user


def test_reading_the_session_is_not_told_to_caches(policy):
    policy("[inbound]\nuser_id = 'session:user'\n")

    _, headers = asyncio.run(by_hand.asgi(app, "/plain/7"))

    assert "vary" not in dict(headers)


def test_header_that_came_twice_is_one_text(policy):
    policy("[inbound]\ntrusted_networks = ['127.0.0.1/32']\nuser_id = 'header:x-user'\n")
    headers = [(b"x-user", b"alice"), (b"x-user", b"mallory")]

    # No name that may be stored: two of them are nobody's.
    assert asyncio.run(page("/plain/7", headers=headers))[1] != "alice"


def test_header_that_a_middleware_puts_in_is_seen():
    given = [(b"X-One", b"1")]
    request = asgi.opened({"type": "http", "path": "/", "headers": given, "client": ["::1", 1]})
    request.leave()
    before = request.header("x-one"), request.header("x-two")

    given.append((b"x-two", b"2"))

    assert (before, request.header("x-two")) == (("1", None), "2")


def test_patched_call_looks_as_it_did():
    call = Starlette.__call__

    assert inspect.iscoroutinefunction(call)
    assert list(inspect.signature(call).parameters) == ["self", "scope", "receive", "send"]
    assert (call.__qualname__, call.__module__) == ("Starlette.__call__", "starlette.applications")


def test_request_started_within_another_ones_answer_is_its_own():
    """What a server does with the next request of a connection that has been read already."""
    found = []

    async def application(scope, receive, send):
        found.append((current().team, current_request().path, current_request().outer))
        if scope["path"] == "/first":
            with attribute(team="of the first"):
                await asyncio.create_task(serve(by_hand.scope("/second"), None, None))

    serve = asgi.served(application, "uvicorn")
    asyncio.run(serve(by_hand.scope("/first"), None, None))

    assert found == [(None, "/first", None), (None, "/second", None)]


def test_former_requests_are_not_kept_by_later_ones():
    requests = []

    async def application(scope, receive, send):
        requests.append(current_request())
        if len(requests) < 5:
            await asyncio.create_task(serve(by_hand.scope(f"/{len(requests)}"), None, None))

    serve = asgi.served(application, "uvicorn")
    asyncio.run(serve(by_hand.scope("/"), None, None))

    assert [request.outer for request in requests] == [None] * 5
