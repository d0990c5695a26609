"""What every SDK of the Stainless generator is asked (openai, anthropic, groq), in every shape."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from tests.sdk.transparency.answering import Answer, as_events, as_json, lost, never
from tests.sdk.transparency.performing import Step

REFUSED = {"error": {"message": "too many", "type": "rate_limit_error", "code": "rate_limited"}}
BROKEN = Answer(200, (b'{"id": "cut',))
EMPTY = Answer(200)
FAILED = as_json({"error": {"message": "boom", "type": "server_error"}}, 500)


class Asked(NamedTuple):
    """One resource of an SDK and its answers."""

    resource: Callable[[Any], Any]
    """client -> what has `create`"""
    given: dict[str, Any]
    answer: Any
    events: tuple[Any, ...]
    named: bool = False
    """True when the events of the stream have names before their data."""
    told: Any = None
    """The event that is sent before the last one where a request asks for usage."""


def steps(asked: Asked) -> dict[str, Step]:
    """The steps of one resource, synchronous and asynchronous."""
    whole, streamed = as_json(asked.answer), streamed_answer(asked)
    cut = as_events(*asked.events[:2], breaks="ReadError", named=asked.named)
    plain = {
        "plain": (whole,),
        "refused": (as_json(REFUSED, 429),),
        "failed": (FAILED,),
        "unreachable": (lost("ConnectError"),),
        "timed out": (lost("ReadTimeout"),),
        "broken body": (BROKEN,),
        "empty body": (EMPTY,),
    }
    again = (FAILED, whole)
    return {
        "retried": Step(_create(asked, retries=1), again),
        "async retried": Step(_acreate(asked, retries=1), again),
        **{name: Step(_create(asked), answers) for name, answers in plain.items()},
        **{f"async {name}": Step(_acreate(asked), answers) for name, answers in plain.items()},
        **_streams(asked, streamed, cut),
        **_raw(asked, whole, streamed),
        "async cancelled": Step(_acreate(asked), (never(),)),
    }


def streamed_answer(asked: Asked) -> Answer:
    """The resource's stream; with usage for those who ask for it."""
    without = as_events(*asked.events, named=asked.named)
    if asked.told is None:
        return without
    return without._replace(if_asked=as_events(*asked.events[:-1], asked.told, asked.events[-1]))


def _create(asked: Asked, retries: int = 0, **more: Any) -> Callable[[Any], Any]:
    def create(client: Any) -> Any:
        client = client.with_options(max_retries=retries)
        return asked.resource(client).create(**asked.given, **more)

    return create


def _acreate(asked: Asked, retries: int = 0, **more: Any) -> Callable[[Any], Any]:
    start = _create(asked, retries, **more)

    async def create(client: Any) -> Any:
        return await start(client)

    return create


Start = Callable[[Any], Any]
"""client -> the stream, or what is to be awaited for it"""


def _streams(asked: Asked, streamed: Answer, cut: Answer) -> dict[str, Step]:
    start, astart = _create(asked, stream=True), _acreate(asked, stream=True)
    whole = {name: partial(run, start) for name, run in _USES.items()}
    awhole = {f"async {name}": partial(run, astart) for name, run in _ASYNC_USES.items()}
    refused = as_json(REFUSED, 429)
    return {
        **{name: Step(run, (streamed,), asks_more=True) for name, run in (whole | awhole).items()},
        "stream cut": Step(partial(_read, start), (cut,), asks_more=True),
        "async stream cut": Step(partial(_aread, astart), (cut,), asks_more=True),
        "stream refused": Step(partial(_read, start), (refused,), asks_more=True),
    }


def _read(start: Start, client: Any) -> Any:
    stream = start(client)
    return type(stream), list(stream), list(stream)


def _stepwise(start: Start, client: Any) -> Any:
    stream = start(client)
    return iter(stream) is iter(stream), next(stream), list(stream)


def _closed(start: Start, client: Any) -> Any:
    stream = start(client)
    first = next(stream)
    stream.close()
    return first, stream.response.is_closed


def _entered(start: Start, client: Any) -> Any:
    with start(client) as stream:
        first = next(iter(stream))
    return first, stream.response.is_closed


def _dropped(start: Start, client: Any) -> Any:
    first = next(iter(start(client)))
    gc.collect()
    return first


def _unstarted(start: Start, client: Any) -> Any:
    stream = start(client)
    del stream
    gc.collect()


def _left_by_error(start: Start, client: Any) -> Any:
    with start(client) as stream:
        for _ in stream:
            raise LookupError("the application's own")


async def _aread(start: Start, client: Any) -> Any:
    stream = await start(client)
    return type(stream), [c async for c in stream], [c async for c in stream]


async def _aclosed(start: Start, client: Any) -> Any:
    stream = await start(client)
    first = await anext(aiter(stream))
    await stream.close()
    return first, stream.response.is_closed


async def _aentered(start: Start, client: Any) -> Any:
    async with await start(client) as stream:
        first = await anext(aiter(stream))
    return first, stream.response.is_closed


async def _adropped(start: Start, client: Any) -> Any:
    # Not `anext`: a loop that is left drops the iterator, whatever it is.
    async for first in await start(client):  # noqa: B007 - told below
        break
    gc.collect()
    await asyncio.sleep(0)
    return first


async def _aunstarted(start: Start, client: Any) -> Any:
    stream = await start(client)
    del stream
    gc.collect()


async def _acancelled_inside(start: Start, client: Any) -> Any:
    reading = asyncio.Event()

    async def use() -> None:
        async for _ in await start(client):
            reading.set()
            await asyncio.sleep(60)

    task = asyncio.ensure_future(use())
    await reading.wait()
    task.cancel("enough")
    return await task


_USES: dict[str, Callable[[Start, Any], Any]] = {
    "stream read": _read,
    "stream stepwise": _stepwise,
    "stream closed": _closed,
    "stream entered": _entered,
    "stream dropped": _dropped,
    "stream unstarted": _unstarted,
    "stream left by error": _left_by_error,
}
_ASYNC_USES: dict[str, Callable[[Start, Any], Any]] = {
    "stream read": _aread,
    "stream closed": _aclosed,
    "stream entered": _aentered,
    "stream dropped": _adropped,
    "stream unstarted": _aunstarted,
    "stream cancelled inside": _acancelled_inside,
}
_WAYS = ("read", "json", "text", "parse", "iter_bytes", "iter_text", "iter_lines")


def _raw(asked: Asked, whole: Answer, streamed: Answer) -> dict[str, Step]:
    return {
        "raw": Step(partial(_raw_answer, asked), (whole,)),
        "raw stream": Step(partial(_raw_stream, asked), (streamed,), asks_more=True),
        "async raw": Step(partial(_araw_answer, asked), (whole,)),
        "streaming response unread": Step(partial(_unread, asked), (whole,)),
        "streaming response of a stream": Step(partial(_unread_stream, asked), (streamed,)),
        **{
            f"streaming response {way}": Step(partial(_reading, asked, way), (whole,))
            for way in _WAYS
        },
        **{
            f"async streaming response {way}": Step(partial(_areading, asked, way), (whole,))
            for way in _WAYS
        },
    }


def _raw_answer(asked: Asked, client: Any) -> Any:
    got = asked.resource(client).with_raw_response.create(**asked.given)
    return type(got), got.parse(), got.status_code, dict(got.headers), got.http_response.content


async def _araw_answer(asked: Asked, client: Any) -> Any:
    got = await asked.resource(client).with_raw_response.create(**asked.given)
    parsed = got.parse()
    return type(got), (await parsed if hasattr(parsed, "__await__") else parsed), got.status_code


def _raw_stream(asked: Asked, client: Any) -> Any:
    got = asked.resource(client).with_raw_response.create(**asked.given, stream=True)
    return list(got.parse())


def _reading(asked: Asked, way: str, client: Any) -> Any:
    with asked.resource(client).with_streaming_response.create(**asked.given) as got:
        found = getattr(got, way)()
        return type(got), list(found) if way.startswith("iter") else found


async def _areading(asked: Asked, way: str, client: Any) -> Any:
    async with asked.resource(client).with_streaming_response.create(**asked.given) as got:
        found = getattr(got, way)()
        if way.startswith("iter"):
            return type(got), [piece async for piece in found]
        return type(got), await found


def _unread(asked: Asked, client: Any) -> Any:
    with asked.resource(client).with_streaming_response.create(**asked.given) as got:
        return got.status_code


def _unread_stream(asked: Asked, client: Any) -> Any:
    create = asked.resource(client).with_streaming_response.create
    with create(**asked.given, stream=True) as got:
        return list(got.iter_lines())
