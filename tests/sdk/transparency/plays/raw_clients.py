"""Provider calls that an application sends by itself, through each HTTP client library."""

from __future__ import annotations

import asyncio
import functools
import gc
import json
from typing import Any, NamedTuple

import aiohttp
import requests
import urllib3

from tests.sdk.raw.server import Server
from tests.sdk.transparency.answering import Answer, as_json, lost, never
from tests.sdk.transparency.performing import OverHttp, Play, Step, outcome, outcome_of
from tests.sdk.transparency.plays import stainless
from tests.sdk.transparency.plays.openai import CHAT, STREAMED
from tests.sdk.transparency.plays.openai_answers import ANSWER, ASK

URL = "https://api.openai.com/v1/chat/completions"
BODY = {"model": "gpt-4o", "messages": ASK}
KEY = {"authorization": "Bearer k"}

# -- httpx and httpx2 --


def post(http: Any) -> Any:
    answer = http.post(URL, json=BODY, headers=KEY)
    return type(answer), answer.json(), answer.status_code, dict(answer.headers)


def refused(http: Any) -> Any:
    return http.post(URL, json=BODY, headers=KEY).raise_for_status()


def stream(http: Any) -> Any:
    with http.stream("POST", URL, json=STREAMED, headers=KEY) as answer:
        return type(answer.stream).__name__, list(answer.iter_lines())


def read_later(http: Any) -> Any:
    with http.stream("POST", URL, json=BODY, headers=KEY) as answer:
        return answer.read(), answer.json()


def left(http: Any) -> Any:
    with http.stream("POST", URL, json=STREAMED, headers=KEY) as answer:
        return next(answer.iter_bytes())


def dropped(http: Any) -> Any:
    answer = http.send(http.build_request("POST", URL, json=STREAMED, headers=KEY), stream=True)
    first = next(answer.iter_raw())
    del answer
    gc.collect()
    return first


async def apost(http: Any) -> Any:
    answer = await http.post(URL, json=BODY, headers=KEY)
    return type(answer), answer.json(), answer.status_code


async def astream(http: Any) -> Any:
    async with http.stream("POST", URL, json=STREAMED, headers=KEY) as answer:
        return [line async for line in answer.aiter_lines()]


async def aleft(http: Any) -> Any:
    async with http.stream("POST", URL, json=STREAMED, headers=KEY) as answer:
        return await anext(answer.aiter_bytes())


WHOLE, EVENTS = as_json(ANSWER), stainless.streamed_answer(CHAT)
CUT = EVENTS._replace(pieces=EVENTS.pieces[:2], breaks="ReadError")
REFUSED = as_json(stainless.REFUSED, 429)
STEPS: dict[str, Step] = {
    "plain": Step(post, (WHOLE,)),
    "refused": Step(refused, (REFUSED,)),
    "unreachable": Step(post, (lost("ConnectError"),)),
    "timed out": Step(post, (lost("ReadTimeout"),)),
    "broken body": Step(post, (stainless.BROKEN,)),
    "stream": Step(stream, (EVENTS,)),
    "stream cut": Step(stream, (CUT,)),
    "stream left": Step(left, (EVENTS,)),
    "stream dropped": Step(dropped, (EVENTS,)),
    "read later": Step(read_later, (WHOLE,)),
    "async plain": Step(apost, (WHOLE,)),
    "async cancelled": Step(apost, (never(),)),
    "async stream": Step(astream, (EVENTS,)),
    "async stream cut": Step(astream, (CUT,)),
    "async stream left": Step(aleft, (EVENTS,)),
    "another host": Step(lambda http: http.get("https://example.test/").text, (WHOLE,)),
}
HTTPX = Play(OverHttp("httpx", lambda http, _: http, lambda _, http: http), STEPS)
HTTPX2 = HTTPX._replace(stage=HTTPX.stage._replace(library="httpx2"))

# -- clients that cannot do without a server --


@functools.cache
def server() -> Server:
    """One server for the process; it ends with it."""
    return Server().__enter__()


class OverServer(NamedTuple):
    """Gives a step the address of a server that answers as it is told."""

    def tell(self, one: Step) -> str:
        """Runs the step; `answers` holds pieces and options of the server's one answer."""
        pieces, options = one.answers
        server().answers.clear()
        server().bodies.clear()
        server().answer(*pieces, **options)
        url = f"{server().url}/v1/chat/completions"
        if asyncio.iscoroutinefunction(one.run):
            told = asyncio.run(outcome_of(one.run(url)))
        else:
            told = outcome(lambda: one.run(url))
        return "\n".join([told, *map(repr, server().bodies)]).replace(server().url, "http://server")


JSON = {"content-type": "application/json"}


def served(answer: Answer, **options: Any) -> tuple[Any, Any]:
    headers = {"content-type": answer.kind}
    return answer.pieces, {"headers": headers, "status": answer.status, **options}


SERVED = {
    "plain": served(WHOLE, chunked=False),
    "refused": served(REFUSED, chunked=False),
    "events": served(EVENTS),
    "cut": served(EVENTS, end="cut"),
}


def over_server(**steps: Any) -> dict[str, Step]:
    """Each step with each answer."""
    return {
        f"{name.replace('_', ' ')}, {answer}": Step(run, SERVED[answer])
        for name, run in steps.items()
        for answer in SERVED
    }


def by_requests(url: str) -> Any:
    answer = requests.post(url, json=BODY, headers=KEY, timeout=60)
    return type(answer), answer.content, answer.status_code, answer.reason


def by_requests_streamed(url: str) -> Any:
    with requests.post(url, json=BODY, headers=KEY, timeout=60, stream=True) as answer:
        return list(answer.iter_lines())


def by_requests_left(url: str) -> Any:
    answer = requests.post(url, json=BODY, headers=KEY, timeout=60, stream=True)
    first = next(answer.iter_content(16))
    answer.close()
    return first


def by_requests_raw(url: str) -> Any:
    with requests.post(url, json=BODY, headers=KEY, timeout=60, stream=True) as answer:
        return answer.raw.read(16), answer.raw.read()


def by_urllib3(url: str, **options: Any) -> Any:
    headers = KEY | JSON
    pool = urllib3.PoolManager(retries=False, timeout=60)
    return pool.request("POST", url, body=json.dumps(BODY), headers=headers, **options)


def by_urllib3_whole(url: str) -> Any:
    answer = by_urllib3(url)
    return type(answer), answer.data, answer.status


def by_urllib3_streamed(url: str) -> Any:
    return list(by_urllib3(url, preload_content=False).stream(32))


def by_urllib3_read(url: str) -> Any:
    answer = by_urllib3(url, preload_content=False)
    first = answer.read(16)
    rest = answer.read()
    answer.release_conn()
    return first, rest


def by_urllib3_left(url: str) -> Any:
    answer = by_urllib3(url, preload_content=False)
    first = answer.read(16)
    answer.close()
    return first


async def by_aiohttp(url: str) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=BODY, headers=KEY) as answer,
    ):
        return type(answer), await answer.read(), answer.status


async def by_aiohttp_streamed(url: str) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=BODY, headers=KEY) as answer,
    ):
        return b"".join([piece async for piece in answer.content.iter_any()])


async def by_aiohttp_left(url: str) -> Any:
    async with (
        aiohttp.ClientSession(raise_for_status=True) as session,
        session.post(url, json=BODY, headers=KEY) as answer,
    ):
        return await answer.content.readline()


REQUESTS = Play(
    OverServer(),
    over_server(
        whole=by_requests,
        streamed=by_requests_streamed,
        left=by_requests_left,
        raw=by_requests_raw,
    ),
)
URLLIB3 = Play(
    OverServer(),
    over_server(
        whole=by_urllib3_whole,
        streamed=by_urllib3_streamed,
        read=by_urllib3_read,
        left=by_urllib3_left,
    ),
)
AIOHTTP = Play(
    OverServer(),
    over_server(whole=by_aiohttp, streamed=by_aiohttp_streamed, left=by_aiohttp_left),
)
