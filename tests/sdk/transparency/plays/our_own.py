"""What an application calls of ours, and threads that it starts: neither may break it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import anchor_autopatch
from tests.sdk.transparency.performing import Play, Step, outcome, outcome_of
from tests.sdk.transparency.plays.openai_answers import ANSWER


class Alone(NamedTuple):
    """Gives a step nothing."""

    def tell(self, one: Step) -> str:
        """Runs the step."""
        if asyncio.iscoroutinefunction(one.run):
            return asyncio.run(outcome_of(one.run(None)))
        return outcome(lambda: one.run(None))


# -- attribution --


def bound(_: Any) -> Any:
    with anchor_autopatch.attribute(team="search", nothing=None) as inside:
        return type(inside), type(anchor_autopatch.current())


def own_error(_: Any) -> Any:
    with anchor_autopatch.attribute(team="search", feature=object()):
        raise LookupError("the application's own")


@anchor_autopatch.attribute(team="search")
def decorated(_: Any) -> Any:
    return "plain"


@anchor_autopatch.attribute(team="search")
def numbers() -> Any:
    got = yield 1
    yield got


def generated(_: Any) -> Any:
    steps = numbers()
    return next(steps), steps.send("sent"), list(steps)


@anchor_autopatch.attribute(team="search")
async def later() -> Any:
    return "later"


@anchor_autopatch.attribute(team="search")
async def numbers_later() -> Any:
    yield 1
    yield 2


async def awaited(_: Any) -> Any:
    async with anchor_autopatch.attribute(team="search"):
        return await later(), [number async for number in numbers_later()]


# -- manual logging --


class Wrapper:
    """As an application wraps an answer."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw


def recorded(_: Any) -> Any:
    return [
        anchor_autopatch.record(answer, provider="openai", model="gpt-4o")
        for answer in (dict(ANSWER), Wrapper(dict(ANSWER)), None, "text", object())
    ]


def flushed(_: Any) -> Any:
    return isinstance(anchor_autopatch.flush(), int)


# -- other threads --


class Own(threading.Thread):
    """A thread with a `run` of its own."""

    found: Any = None

    def run(self) -> None:
        self.found = vars(self).keys() & {"run"}


def thread(_: Any) -> Any:
    found: list[Any] = []
    with anchor_autopatch.attribute(team="search"):
        threads = [threading.Thread(target=found.append, args=(1,)), Own()]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    return found, threads[1].found  # type: ignore[attr-defined]


def pool(_: Any) -> Any:
    with anchor_autopatch.attribute(team="search"), ThreadPoolExecutor(1) as workers:
        return workers.submit(divmod, 7, 2).result(), list(workers.map(str, (1, 2)))


def pool_error(_: Any) -> Any:
    with anchor_autopatch.attribute(team="search"), ThreadPoolExecutor(1) as workers:
        return workers.submit(divmod, 7, 0).result()


async def thread_later(_: Any) -> Any:
    with anchor_autopatch.attribute(team="search"):
        return await asyncio.to_thread(divmod, 7, 2)


STEPS: dict[str, Step] = {
    run.__name__: Step(run)
    for run in (
        bound,
        own_error,
        decorated,
        generated,
        awaited,
        recorded,
        flushed,
        thread,
        pool,
        pool_error,
        thread_later,
    )
}
PLAY = Play(Alone(), STEPS, threads=True)
