"""One WSGI request, step by step: what is known of it, and what is left when it is over."""

from __future__ import annotations

import json
from functools import cache

import django
import pytest
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from flask import Blueprint, Flask, Response, g, send_file, session
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from anchor_autopatch import attribute, current
from anchor_autopatch.host import patching
from anchor_autopatch.host.request_context import current_request
from tests.frameworks import by_hand

pytestmark = pytest.mark.usefixtures("home")

app = Flask(__name__)
app.secret_key = "test"
shop = Blueprint("shop", __name__, url_prefix="/shop")
seen = []


def who():
    """What a call made now would carry, as a page."""
    found = current()
    return json.dumps([found.feature, found.user_id])


@app.before_request
def early():
    seen.append(json.loads(who()))


@app.get("/plain/<name>")
def plain(name):
    return who()


@app.get("/forgetful")
def forgetful():
    attribute(team="left behind").__enter__()
    return who()


@app.get("/stream")
def stream():
    def steps():
        try:
            yield who()
            yield who()
        finally:
            seen.append(json.loads(who()))

    return Response(steps())


@app.get("/failing")
def failing():
    raise KeyError("theirs")


@app.get("/file")
def file():
    return send_file(__file__)


@app.get("/session")
def with_session():
    session.update(user={"id": "u1"})
    session.accessed = False
    return who()


@app.get("/user")
def with_user():
    g._login_user = type("User", (), {"id": 7})()
    g.tenant = "acme"
    return who()


@app.get("/inner")
def calling_another():
    return by_hand.body(app, "/plain/inner") + who()


@shop.get("/items/<int:item>")
def in_blueprint(item):
    return who()


app.register_blueprint(shop)


def page(route, **more):
    return page_of(app, route, **more)


def page_of(application, route, **more):
    return json.loads(by_hand.body(application, route, **more))


class TestFlask:
    def test_route_template_is_the_feature(self):
        assert page("/plain/7") == ["/plain/<name>", None]
        assert page("/shop/items/7") == ["/shop/items/<int:item>", None]

    def test_context_is_clean_after_the_request(self):
        page("/plain/7")

        assert (current_request(), current().feature) == (None, None)

    def test_what_the_application_left_entered_is_gone(self):
        page("/forgetful")

        assert current().team is None

    def test_binding_around_the_application_holds(self):
        with attribute(team="outer"):
            page("/forgetful")

            assert current().team == "outer"

    def test_stream_is_served_step_by_step(self):
        answer, _ = by_hand.wsgi(app, "/stream")
        between = []
        found = [(json.loads(step), between.append(current_request()))[0] for step in answer]
        answer.close()

        assert found == [["/stream", None]] * 2
        assert between == [None, None]

    def test_stream_left_early_is_closed_within_its_request(self):
        answer, _ = by_hand.wsgi(app, "/stream")
        next(iter(answer))
        seen.clear()

        answer.close()

        assert (seen, current_request()) == ([["/stream", None]], None)

    def test_exception_passes_and_leaves_nothing(self):
        app.testing = True
        with pytest.raises(KeyError, match="theirs"):
            by_hand.wsgi(app, "/failing")
        app.testing = False

        assert current_request() is None

    def test_call_before_the_view_knows_the_route_too(self):
        seen.clear()
        page("/plain/7")

        assert seen == [["/plain/<name>", None]]

    def test_missing_route_is_nobodys(self):
        seen.clear()
        by_hand.body(app, "/no/such/page")

        assert seen == [[None, None]]

    def test_inner_request_does_not_change_the_outer_one(self):
        inner, outer = by_hand.body(app, "/inner").split("]", 1)

        assert (inner, outer) == ('["/plain/<name>", null', '["/inner", null]')

    def test_application_below_that_finds_no_page_leaves_the_route(self):
        outer, inner = Flask("outer"), Flask("inner")
        inner.register_error_handler(404, lambda _: who())
        outer.add_url_rule("/<name>", view_func=lambda name: inner, endpoint="below")

        assert page_of(outer, "/7") == ["/<name>", None]

    def test_what_is_first_asked_when_flask_is_done_is_known(self, policy):
        policy("[inbound]\nuser_id = 'state:tenant'\n")
        late = Flask("late")

        @late.get("/<name>")
        def stream_of(name):
            g.tenant = name
            return Response(who() for _ in range(1))

        assert page_of(late, "/acme") == ["/<name>", "acme"]

    def test_file_goes_to_the_server_as_its_own_wrapper(self):
        class Wrapper:
            def __init__(self, file, *_):
                self.file = file

            def __iter__(self):
                return iter(self.file)

        answer, _ = by_hand.wsgi(app, "/file", **{"wsgi.file_wrapper": Wrapper})
        answer.file.close()

        assert type(answer) is Wrapper

    def test_same_request_below_another_application_is_one(self):
        requests = []

        def outer(environ, start_response):
            requests.append(current_request())
            return app(environ, start_response)

        mounted = DispatcherMiddleware(outer, {"/mounted": app})

        assert json.loads(by_hand.body(mounted, "/mounted/plain/7")) == ["/plain/<name>", None]

    def test_peer_is_who_connected_and_not_what_a_header_says(self):
        app.wsgi_app = ProxyFix(wsgi_app := app.wsgi_app)
        peers = []
        app.before_request_funcs[None].append(lambda: peers.append(current_request().peer))
        page("/plain/7", HTTP_X_FORWARDED_FOR="10.9.9.9")
        app.before_request_funcs[None].pop()
        app.wsgi_app = wsgi_app

        assert peers == ["127.0.0.1"]


class TestUsers:
    """Where the policy says that a user's id is found."""

    @pytest.mark.parametrize(
        ("place", "route", "user"),
        [
            ("session:user.id", "/session", "u1"),
            ("user:id", "/user", "7"),
            ("state:tenant", "/user", "acme"),
            ("environ:REMOTE_USER", "/plain/7", "carol"),
            ("session:nobody", "/session", None),
        ],
    )
    def test_flask(self, policy, place, route, user):
        policy(f"[inbound]\nuser_id = '{place}'\n")

        assert page(route, REMOTE_USER="carol")[1] == user

    def test_reading_the_session_is_not_told_to_caches(self, policy):
        policy("[inbound]\nuser_id = 'session:user.id'\n")
        _, headers = by_hand.wsgi(app, "/plain/7")

        assert "vary" not in headers

    def test_no_policy_asks_nobody(self):
        assert page("/session")[1] is None


def test_sized_answer_is_the_applications_own():
    answer = [b"theirs"]

    class Bare(Flask):
        def wsgi_app(self, environ, start_response):
            return answer

    assert by_hand.wsgi(Bare("bare"), "/")[0] is answer


class Awkward(dict):
    """An environ that fails whoever asks it first for the address of the client."""

    asked = False

    def get(self, key, default=None):
        if key == "REMOTE_ADDR" and not self.asked:
            self.asked = True
            raise RuntimeError("not yet")
        return super().get(key, default)


def awkward_page():
    return json.loads(b"".join(app(Awkward(by_hand.environ("/plain/7")), lambda *_: None)))


def test_fault_of_ours_lets_the_request_pass(events):
    assert awkward_page() == [None, None]
    assert [event.event_class for event in events()] == ["internal"]


def test_framework_that_keeps_failing_is_left_alone():
    for _ in range(patching.FAULT_LIMIT):
        awkward_page()

    assert "flask" in patching.off
    assert page("/plain/7") == [None, None]


def view(request, name=None):
    return HttpResponse(who())


def stream_view(request):
    return StreamingHttpResponse(who() for _ in range(2))


def session_view(request):
    request.session["user"] = "u1"
    request.session.accessed = False
    return HttpResponse(who())


def user_view(request):
    # What AuthenticationMiddleware makes of `request.user` when it is first read.
    request._cached_user = type("User", (), {"pk": 7})()
    return HttpResponse(who())


@cache
def django_app():
    urls = type("urls", (), {})
    urls.urlpatterns = [
        path("plain/<str:name>", view),
        path("stream", stream_view),
        path("session", session_view),
        path("user", user_view),
    ]
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=urls,
        SECRET_KEY="test",
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    )
    django.setup()
    return get_wsgi_application()


class TestDjango:
    @pytest.fixture
    def app(self):
        return django_app()

    def test_response_itself_is_returned(self, app):
        answer, _ = by_hand.wsgi(app, "/plain/7")

        assert isinstance(answer, HttpResponse)
        assert json.loads(answer.content) == ["/plain/<str:name>", None]
        assert current_request() is None

    def test_stream_is_served_step_by_step(self, app):
        answer, _ = by_hand.wsgi(app, "/stream")
        found = [(json.loads(step), current_request()) for step in answer]

        assert found == [(["/stream", None], None)] * 2

    @pytest.mark.parametrize(
        ("place", "route", "user"),
        [
            ("session:user", "/session", "u1"),
            ("user:pk", "/user", "7"),
            ("environ:REMOTE_USER", "/plain/7", "carol"),
        ],
    )
    def test_user_is_found(self, app, policy, place, route, user):
        policy(f"[inbound]\nuser_id = '{place}'\n")

        answer, _ = by_hand.wsgi(app, route, REMOTE_USER="carol")

        assert json.loads(answer.content)[1] == user

    @pytest.mark.parametrize("place", ["session:user", "user:pk"])
    def test_nothing_is_loaded_for_us(self, app, policy, place):
        policy(f"[inbound]\nuser_id = '{place}'\n")

        answer, headers = by_hand.wsgi(app, "/plain/7")

        assert json.loads(answer.content)[1] is None
        assert "vary" not in headers
