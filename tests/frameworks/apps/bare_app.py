"""No framework at all: one WSGI and one ASGI application."""

from __future__ import annotations

from calling import call, call_async


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    name = environ["PATH_INFO"].rpartition("/")[2]

    def steps():
        yield b"begun "
        yield call(name).encode()

    return steps() if "stream" in environ["PATH_INFO"] else [call(name).encode()]


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    answer = await call_async(scope["path"].rpartition("/")[2])
    await send({"type": "http.response.body", "body": answer.encode()})
