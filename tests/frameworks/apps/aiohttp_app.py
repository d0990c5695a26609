"""aiohttp's server: a handler, a stream, a task that outlives its request, a sub-application."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web
from calling import call, call_async

from anchor_autopatch import attribute

tasks = set()


async def plain(request):
    return web.Response(text=await call_async(request.match_info["name"]))


async def forgetful(request):
    answer = await plain(request)
    attribute(team="left behind", user_id="left behind").__enter__()
    return answer


async def in_executor(request):
    loop = asyncio.get_running_loop()
    return web.Response(text=await loop.run_in_executor(None, call, request.match_info["name"]))


async def stream(request):
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"begun ")
    await response.write((await call_async(request.match_info["name"])).encode())
    return response


async def background(request):
    task = asyncio.create_task(call_async(request.match_info["name"]))
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return web.Response(text="later")


def application():
    app, shop = web.Application(), web.Application()
    app.router.add_get("/plain/{name}", plain)
    app.router.add_get("/forgetful/{name}", forgetful)
    app.router.add_get("/thread/{name}", in_executor)
    app.router.add_get("/stream/{name}", stream)
    app.router.add_get("/background/{name}", background)
    shop.router.add_get(r"/items/{item:\d+}/{name}", plain)
    app.add_subapp("/shop", shop)
    return app


if __name__ == "__main__":
    web.run_app(application(), port=int(sys.argv[1]), host="127.0.0.1", print=None)
