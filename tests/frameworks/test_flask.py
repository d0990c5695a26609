"""Flask under gunicorn, werkzeug and a server that nobody here knows."""

from __future__ import annotations

import pytest

from tests.frameworks.serving import asked

ROUTES = {
    "/plain/NAME": "/plain/<name>",
    "/stream/NAME": "/stream/<name>",
    "/background/NAME": "/background/<name>",
    "/pool/NAME": "/pool/<name>",
    "/forgetful/NAME": "/forgetful/<name>",
    "/shop/items/7/NAME": "/shop/items/<int:item>/<name>",
}
GUNICORN = ("-m", "gunicorn", "-b", "127.0.0.1:PORT", "--graceful-timeout", "5", "flask_app:app")


def test_framework_that_is_switched_off_serves_without_us(site):
    code = """
import flask, sys
app = flask.Flask("app")
app.add_url_rule("/", "page", lambda: "theirs")
from anchor_autopatch.host import patching
print(app.test_client().get("/").text, hasattr(flask.Flask.__call__, "_anchor_original"))
"""

    assert site.run("-c", code, ANCHOR_DISABLE="flask") == "theirs False\n"


def test_answer_that_cannot_be_looked_at_is_served(site):
    code = """
import flask

class Guarded(flask.Response):
    made = False
    @property
    def response(self):
        if self.made:
            raise RuntimeError("read when it is sent, and by nobody else")
        return self._parts
    @response.setter
    def response(self, parts):
        self._parts = parts
    def __call__(self, environ, start_response):
        self.made = False
        return super().__call__(environ, start_response)

app = flask.Flask("app")
app.response_class = Guarded

@app.route("/")
def page():
    answer = Guarded("theirs")
    answer.made = True
    return answer

print(app.test_client().get("/").text)
from anchor_autopatch.host import patching
print(patching._faults)
"""

    assert site.run("-c", code) == "theirs\n{'flask': 1}\n"


@pytest.mark.parametrize(
    "command",
    [
        pytest.param((*GUNICORN, "-w", "2"), id="gunicorn"),
        pytest.param((*GUNICORN, "-w", "2", "--preload"), id="gunicorn --preload"),
        pytest.param(
            (*GUNICORN, "-w", "2", "--threads", "4"), id="gunicorn threads", marks=pytest.mark.slow
        ),
        pytest.param((*GUNICORN, "-k", "gevent"), id="gunicorn gevent", marks=pytest.mark.slow),
        pytest.param(
            ("-m", "flask", "-A", "flask_app", "run", "-p", "PORT"),
            id="werkzeug",
            marks=pytest.mark.slow,
        ),
        pytest.param(("-m", "waitress", "--port=PORT", "flask_app:app"), id="waitress"),
    ],
)
def test_interleaved_requests_are_kept_apart(site, command):
    requests = asked(ROUTES, 500)
    port = site.serve(*command)

    site.ask_all(port, requests)

    site.judge(requests)
