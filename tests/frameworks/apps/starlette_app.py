"""Starlette and FastAPI: views in the loop and in threads, streams, background tasks, mounts."""

from __future__ import annotations

import asyncio

from calling import call, call_async
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute


async def plain(request):
    return PlainTextResponse(await call_async(request.path_params["name"]))


def in_thread(request):
    return PlainTextResponse(call(request.path_params["name"]))


async def stream(request):
    async def steps():
        yield "begun "
        yield await call_async(request.path_params["name"])

    return StreamingResponse(steps())


async def stream_in_thread(request):
    def steps():
        yield "begun "
        yield call(request.path_params["name"])

    return StreamingResponse(steps())


async def background(request):
    task = BackgroundTask(call_async, request.path_params["name"])
    return PlainTextResponse("later", background=task)


async def socket(websocket):
    await websocket.accept()
    await websocket.send_text(await call_async(websocket.path_params["name"]))
    await websocket.close()


async def passing(request, call_next):
    return await call_next(request)


starlette = Starlette(
    routes=[
        Route("/plain/{name}", plain),
        Route("/thread/{name}", in_thread),
        Route("/stream/{name}", stream),
        Route("/stream-thread/{name}", stream_in_thread),
        Route("/background/{name}", background),
        WebSocketRoute("/socket/{name}", socket),
        Mount("/shop/{shop:int}", routes=[Route("/items/{item:int}/{name}", plain)]),
    ],
    middleware=[Middleware(BaseHTTPMiddleware, dispatch=passing)],
)

fastapi = FastAPI()
shop = APIRouter(prefix="/items")


def called(name: str) -> str:
    return call(name)


@fastapi.get("/plain/{name}")
async def api_plain(name: str):
    return await call_async(name)


@fastapi.get("/waiting/{name}")
async def api_waiting(name: str):
    await asyncio.sleep(0.2)


@fastapi.get("/thread/{name}")
def api_in_thread(name: str):
    return call(name)


@fastapi.get("/dependency/{name}")
async def api_dependency(name: str, answer: str = Depends(called)):
    return answer


@fastapi.get("/stream/{name}")
def api_stream(name: str):
    def steps():
        yield "begun "
        yield call(name)

    return StreamingResponse(steps())


@fastapi.get("/background/{name}")
async def api_background(name: str, tasks: BackgroundTasks):
    tasks.add_task(call, name)
    return "later"


@shop.get("/{item}/{name}")
async def api_in_router(item: int, name: str):
    return await call_async(name)


outer = APIRouter(prefix="/shop")
outer.include_router(shop)
fastapi.include_router(outer)
fastapi.mount("/mounted", starlette)
