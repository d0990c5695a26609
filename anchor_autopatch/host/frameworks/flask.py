"""Flask: opened around the application, its route known when Flask has matched it."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import partial, wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.frameworks import serving, wsgi
from anchor_autopatch.host.request_context import inbound


def version() -> str | None:
    """None: Flask does not tell it any more, and its metadata is not worth the reading."""
    return None


def patch(app: ModuleType) -> None:
    """Wraps the outermost and the innermost function of a request; `app` is `flask.app`."""
    patching.replace(app.Flask, "__call__", wsgi.wrap_application("flask"))
    flask = sys.modules["flask.globals"]
    # Flask 3.2 and later have one context for both.
    current = getattr(flask, "_cv_request", flask._cv_app), flask._cv_app
    finished = sys.modules["werkzeug.wsgi"].ClosingIterator
    patching.replace(app.Flask, "full_dispatch_request", partial(_wrap_dispatch, current, finished))


def _wrap_dispatch(current: tuple[Any, Any], finished: type, original: Any) -> Any:
    of_request, of_application = current

    @wraps(original)
    def full_dispatch_request(self: Any, *args: Any, **kwargs: Any) -> Any:
        request = inbound.get()
        if not isinstance(request, serving.Served):
            return original(self, *args, **kwargs)
        # The guard is written out: it would be a function more in each of two places.
        try:
            if request.pending is not None:
                request.settle()
            # What is current now and not Flask's proxies for it: an answer is streamed, and threads
            # go on working, after Flask has taken its own context away. Looked into when a provider
            # call asks, and most requests make none.
            request.pending = (_matched, of_request.get(None), of_application.get(None))
            request.resolved = None
        except Exception as fault:  # noqa: BLE001 - as in `guarded`: the request goes on without us
            _note(fault)
        response = original(self, *args, **kwargs)
        try:
            # Its parts are there, nobody waits for its end: the server may have it as it is.
            if type(getattr(response, "response", None)) is list and not getattr(
                response, "_on_close", True
            ):
                request.finished = finished
        except Exception as fault:  # noqa: BLE001 - as above
            _note(fault)
        return response

    return full_dispatch_request


def _note(fault: Exception) -> None:
    with suppress(Exception):
        patching.note_fault("flask", "full_dispatch_request", fault)


@patching.guarded("flask")
def _matched(request: serving.Served, context: Any, application: Any) -> None:
    rule = context.request.url_rule
    found = partial(_lookup, context, application.g)
    request.matched(rule.rule if rule is not None else None, found)


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
