"""The xAI SDK over gRPC: chat plain and streamed, deferred, images, batches."""

from __future__ import annotations

import asyncio
import copy
import datetime
import functools
from typing import Any, NamedTuple

import grpc
import xai_sdk
from xai_sdk.chat import user

from tests.sdk.sessions.grpc_server import Server
from tests.sdk.transparency.performing import Play, Step, outcome, outcome_of

SOON = datetime.timedelta(milliseconds=1)


@functools.cache
def server() -> Server:
    """One server for the process; it ends with it."""
    return Server().__enter__()


class OverGrpc(NamedTuple):
    """Clients of the local server; `answers` holds what to set on its state."""

    def tell(self, one: Step) -> str:
        """Runs the step against the server in its first state."""
        server().state.reset()
        for wish in one.answers:
            vars(server().state).update(copy.deepcopy(wish))
        if asyncio.iscoroutinefunction(one.run):
            return asyncio.run(self._later(one))
        with xai_sdk.Client("k", api_host=server().host, use_insecure_channel=True) as client:
            return outcome(lambda: one.run(client))

    async def _later(self, one: Step) -> str:
        async with xai_sdk.AsyncClient(
            "k", api_host=server().host, use_insecure_channel=True
        ) as client:
            return await outcome_of(one.run(client))


def chat(client: Any) -> Any:
    return client.chat.create(model="grok-4", messages=[user("Hi")])


def answered(response: Any) -> Any:
    return type(response), response.content, response.usage, response.proto


def ask(client: Any) -> Any:
    return answered(chat(client).sample())


def ask_twice(client: Any) -> Any:
    return [answered(one) for one in chat(client).sample_batch(2)]


def stream(client: Any) -> Any:
    return [(answered(whole), piece.content) for whole, piece in chat(client).stream()]


def stream_left(client: Any) -> Any:
    steps = chat(client).stream()
    first = next(steps)[1].content
    steps.close()
    return first


def defer(client: Any) -> Any:
    return answered(chat(client).defer(interval=SOON))


def image(client: Any) -> Any:
    return client.image.sample("a cat", "grok-image").url


def batch(client: Any) -> Any:
    made = client.batch.create("mine")
    return made, client.batch.list_batch_results(made.batch_id).proto


async def aask(client: Any) -> Any:
    return answered(await chat(client).sample())


async def astream(client: Any) -> Any:
    return [(answered(whole), piece.content) async for whole, piece in chat(client).stream()]


async def astream_left(client: Any) -> Any:
    steps = chat(client).stream()
    first = (await anext(steps))[1].content
    await steps.aclose()
    return first


REFUSED = {"fail": [(grpc.StatusCode.INVALID_ARGUMENT, "no such model")] * 9}
STEPS: dict[str, Step] = {
    "plain": Step(ask),
    "refused": Step(ask, (REFUSED,)),
    "without usage": Step(ask, ({"with_usage": False},)),
    "twice": Step(ask_twice),
    "stream": Step(stream),
    "stream left": Step(stream_left),
    "stream refused": Step(stream, (REFUSED,)),
    "stream cut": Step(stream, ({"break_after": 2},)),
    "deferred": Step(defer),
    "image": Step(image),
    "batch": Step(batch),
    "async plain": Step(aask),
    "async refused": Step(aask, (REFUSED,)),
    "async stream": Step(astream),
    "async stream left": Step(astream_left),
    "async stream refused": Step(astream, (REFUSED,)),
    "async stream cut": Step(astream, ({"break_after": 2},)),
}
PLAY = Play(OverGrpc(), STEPS)
