"""Flask: opened around the application, its route known when Flask has matched it."""

from __future__ import annotations

import sys
from functools import partial, wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.frameworks import serving, wsgi


def version() -> str | None:
    """None: Flask does not tell it any more, and its metadata is not worth the reading."""
    return None


def patch(app: ModuleType) -> None:
    """Wraps the outermost and the innermost function of a request; `app` is `flask.app`."""
    patching.replace(app.Flask, "__call__", wsgi.wrap_application("flask"))
    flask = sys.modules["flask.globals"]
    # Flask 3.2 and later have one context for both.
    current = getattr(flask, "_cv_request", flask._cv_app), flask._cv_app
    patching.replace(app.Flask, "full_dispatch_request", partial(_wrap_dispatch, current))


def _wrap_dispatch(current: tuple[Any, Any], original: Any) -> Any:
    @wraps(original)
    def full_dispatch_request(self: Any, *args: Any, **kwargs: Any) -> Any:
        request = _matched(current)
        response = original(self, *args, **kwargs)
        if request is not None:
            _answered(request, response)
        return response

    return full_dispatch_request


@patching.guarded("flask")
def _matched(current: tuple[Any, Any]) -> serving.Served | None:
    # What is current now and not Flask's proxies for it: an answer is streamed, and threads go on
    # working, after Flask has taken its own context away.
    context = current[0].get()
    rule = context.request.url_rule
    found = partial(_lookup, context, current[1].get().g)
    return serving.matched(rule.rule if rule is not None else None, found)


@patching.guarded("flask")
def _answered(request: serving.Served, response: Any) -> None:
    # Its parts are there and nobody waits for its end: then the server may have it as it is.
    if type(response.response) is list and not response._on_close:
        request.finished = sys.modules["werkzeug.wsgi"].ClosingIterator


def _lookup(context: Any, g: Any, place: str, name: str) -> object:
    if place == "environ":
        return context.request.environ.get(name)
    if place == "user":
        # Where flask-login (0.6 and later) keeps who is logged in, else the usual name.
        return serving.dig(g.get("_login_user") or g.get("user"), name)
    if place == "session":
        # Since 3.1.3 `context.session` notes that it was asked for, and every answer then varies
        # by cookie; before, it was a plain attribute.
        state = vars(context)
        return serving.dig(state.get("_session", state.get("session")), name)
    return serving.dig(g, name) if place == "state" else None
