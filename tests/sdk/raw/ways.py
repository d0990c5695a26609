"""The same call through every HTTP client that is installed here, sync and async."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json as jsons
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pytest

KEY = {"authorization": "Bearer sk-test"}
unclosed: list[Any] = []
"""Clients to be closed after the test: a dropped response must not be ended by its client's end."""


class Way(NamedTuple):
    """One client: how it calls plainly, and how it streams."""

    name: str
    target: str
    plain: Callable[..., bytes]
    """(url, json, timeout=...) -> the body, as the application gets it."""
    stream: Callable[..., bytes]
    """(url, json, pieces=None, close=True) -> what was read before it was left, or all."""


def taken(pieces: Iterable[bytes], limit: int | None) -> bytes:
    """The first pieces joined; all when there is no limit."""
    found = []
    for piece in pieces:
        found.append(piece)
        if limit is not None and len(found) >= limit:
            break
    return b"".join(found)


def _requests(module: Any) -> Way:
    def plain(url, json, timeout=60, **_):
        return module.post(url, json=json, headers=KEY, timeout=timeout).content

    def stream(url, json, pieces=None, close=True, timeout=60, **_):
        response = module.post(url, json=json, headers=KEY, timeout=timeout, stream=True)
        found = taken(response.iter_content(4096), pieces)
        if close:
            response.close()
        return found

    return Way("requests", "requests", plain, stream)


def _urllib3(module: Any) -> Way:
    def send(url, json, timeout, **options):
        pool = module.PoolManager(retries=False, timeout=timeout)
        headers = KEY | {"content-type": "application/json", "accept-encoding": "gzip, deflate"}
        return pool.request("POST", url, body=jsons.dumps(json), headers=headers, **options)

    def plain(url, json, timeout=60, **_):
        return send(url, json, timeout).data

    def stream(url, json, pieces=None, close=True, timeout=60, **_):
        response = send(url, json, timeout, preload_content=False)
        found = taken(response.stream(4096, decode_content=True), pieces)
        if close:
            response.close()
        return found

    return Way("urllib3", "urllib3", plain, stream)


def _httpx(module: Any) -> Way:
    def plain(url, json, timeout=60, **_):
        return module.post(url, json=json, headers=KEY, timeout=timeout).content

    def stream(url, json, pieces=None, close=True, timeout=60, **_):
        client = module.Client(timeout=timeout)
        unclosed.append(client)
        request = client.build_request("POST", url, json=json, headers=KEY)
        response = client.send(request, stream=True)
        found = taken(response.iter_bytes(), pieces)
        if close:
            response.close()
        return found

    return Way(module.__name__, module.__name__, plain, stream)


def _httpx_async(module: Any) -> Way:
    async def post(url, json, timeout):
        async with module.AsyncClient(timeout=timeout) as client:
            return (await client.post(url, json=json, headers=KEY)).content

    async def read(url, json, limit, timeout):
        async with (
            module.AsyncClient(timeout=timeout) as client,
            client.stream("POST", url, json=json, headers=KEY) as response,
        ):
            return await _taken(response.aiter_bytes(), limit)

    def plain(url, json, timeout=60, **_):
        return asyncio.run(post(url, json, timeout))

    def stream(url, json, pieces=None, timeout=60, **_):
        return asyncio.run(read(url, json, pieces, timeout))

    return Way(f"{module.__name__}-async", module.__name__, plain, stream)


def _aiohttp(module: Any) -> Way:
    def session(timeout):
        return module.ClientSession(timeout=module.ClientTimeout(total=timeout))

    async def post(url, json, timeout):
        async with session(timeout) as client, client.post(url, json=json, headers=KEY) as response:
            return await response.read()

    async def read(url, json, limit, timeout):
        async with session(timeout) as client, client.post(url, json=json, headers=KEY) as response:
            return await _taken(response.content.iter_any(), limit)

    def plain(url, json, timeout=60, **_):
        return asyncio.run(post(url, json, timeout))

    def stream(url, json, pieces=None, timeout=60, **_):
        return asyncio.run(read(url, json, pieces, timeout))

    return Way("aiohttp", "aiohttp", plain, stream)


async def _taken(pieces, limit):
    found = []
    async for piece in pieces:
        found.append(piece)
        if limit is not None and len(found) >= limit:
            break
    return b"".join(found)


_MAKERS = {
    "requests": (_requests,),
    "urllib3": (_urllib3,),
    "httpx": (_httpx, _httpx_async),
    "httpx2": (_httpx, _httpx_async),
    "aiohttp": (_aiohttp,),
}


def _all_ways():
    for library, makers in _MAKERS.items():
        try:
            module = importlib.import_module(library)
        except ImportError:
            skip = pytest.mark.skip(reason=f"{library} is not in this SDK world")
            yield pytest.param(None, id=library, marks=skip)
            continue
        for make in makers:
            way = make(module)
            yield pytest.param(way, id=way.name)


WAYS = list(_all_ways())
every_way = pytest.mark.parametrize("way", WAYS)
blocking = pytest.mark.parametrize(
    "way", [p for p in WAYS if p.id in ("requests", "urllib3", "httpx", "httpx2")]
)


def drop(way: Way, *args: Any, **kwargs: Any) -> None:
    """Reads one piece and lets go of everything."""
    way.stream(*args, pieces=1, close=False, **kwargs)
    gc.collect()
