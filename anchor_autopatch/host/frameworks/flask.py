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
    patching.replace(app.Flask, "full_dispatch_request", _wrap_dispatch)


def _wrap_dispatch(original: Any) -> Any:
    @wraps(original)
    def full_dispatch_request(self: Any, *args: Any, **kwargs: Any) -> Any:
        _matched()
        return original(self, *args, **kwargs)

    return full_dispatch_request


@patching.guarded("flask")
def _matched() -> None:
    flask = sys.modules["flask.globals"]
    # Bound to these objects and not to Flask's proxies: an answer is streamed, and threads go on
    # working, after Flask has taken its own context away.
    served, session = flask.request._get_current_object(), flask.session._get_current_object()
    lookup = partial(_lookup, served.environ, session, flask.g._get_current_object())
    serving.matched(served.url_rule and served.url_rule.rule, lookup)


def _lookup(environ: dict[str, Any], session: Any, g: Any, place: str, name: str) -> object:
    if place == "environ":
        return environ.get(name)
    if place == "user":
        # Where flask-login (0.6 and later) keeps who is logged in, else the usual name.
        user = g.get("_login_user") or g.get("user")
        return serving.dig(user, name)
    return serving.dig({"session": session, "state": g}.get(place), name)
