"""Requests by hand: what a server that is not known here would do, one step at a time."""

from __future__ import annotations

import asyncio
from wsgiref.util import setup_testing_defaults


def environ(path, **more):
    found = {"PATH_INFO": path, "REMOTE_ADDR": "127.0.0.1"}
    setup_testing_defaults(found)
    return found | more


def wsgi(app, path, **more):
    """The application's iterable, untouched, and its headers in lower case."""
    headers = {}

    def start_response(_status, given, _exc_info=None):
        headers.update({name.lower(): value for name, value in given})

    return app(environ(path, **more), start_response), headers


def body(app, path, **more):
    """The whole answer as text, closed as a server would."""
    answer, _ = wsgi(app, path, **more)
    try:
        return b"".join(answer).decode()
    finally:
        if hasattr(answer, "close"):
            answer.close()


def scope(path, **more):
    found = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
        "root_path": "", "headers": [], "client": ("127.0.0.1", 5000), "server": ("localhost", 80),
    }  # fmt: skip
    return found | more


async def asgi(app, path, **more):
    """The answer's text and its headers, as (name, value) pairs."""
    sent = []

    async def receive():
        if sent:
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope(path, **more), receive, send)
    text = b"".join(message.get("body", b"") for message in sent).decode()
    return text, [(k.decode(), v.decode()) for k, v in sent[0]["headers"]]
