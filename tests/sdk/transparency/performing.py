"""A play: the calls of one SDK against prepared answers; each step tells all that was to be seen.

What a step tells is the same text in a process without us, in one with us, and in one where we
fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import sys
import warnings
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NamedTuple, Protocol

from tests.sdk.transparency import telling
from tests.sdk.transparency.answering import Tape


class Step(NamedTuple):
    """One use of an SDK."""

    run: Callable[[Any], Any]
    """client -> what the application gets; a coroutine function gets the asynchronous client."""
    answers: tuple[Any, ...] = ()
    """What the stage is to answer, in its own terms; an `Answer` each over HTTP."""
    asks_more: bool = False
    """True where we are meant to add to the request: what was sent is not compared."""


class Stage(Protocol):
    """What gives a step its client."""

    def tell(self, one: Step) -> str:
        """Runs the step; its result or error, and what was sent."""
        ...


class Play(NamedTuple):
    """The steps of one SDK."""

    stage: Stage
    steps: dict[str, Step]
    threads: bool = False
    """True where what threads do is a part of the steps."""
    chatters: bool = False
    """True for an SDK that logs and warns as it happens to: of what is said aloud only our own
    counts."""


class OverHttp(NamedTuple):
    """An SDK that takes an HTTP client of the application's."""

    library: str
    """Name of its HTTP library."""
    client: Callable[[Any, Any], Any]
    """HTTP client, asynchronous one -> SDK client; one that got none would make its own, slowly."""
    async_client: Callable[[Any, Any], Any]

    def tell(self, one: Step) -> str:
        """Runs the step over a tape of its answers."""
        tape = Tape(self.library, *one.answers)
        if asyncio.iscoroutinefunction(one.run):
            told = asyncio.run(self._later(one, tape))
        else:
            with tape.client() as http:
                told = outcome(lambda: one.run(self.client(http, tape.async_client())))
        return "\n".join([told, *([] if one.asks_more else tape.sent)])

    async def _later(self, one: Step, tape: Tape) -> str:
        async with tape.async_client() as http:
            return await outcome_of(one.run(self.async_client(tape.client(), http)))


def perform(play: Play, name: str) -> str:
    """Runs one step; what it tells, and whatever was said aloud."""
    with _listening([]):
        # What earlier steps left behind speaks up now, not in the middle of this one.
        gc.collect()
    heard: list[str] = []
    with _listening(heard):
        told = play.stage.tell(play.steps[name])
        gc.collect()
    return "\n".join([told, *(line for line in heard if not play.chatters or "anchor" in line)])


def rehearse(play: Play) -> None:
    """Runs every step once: what is imported, cached or said on first use is that from then on."""
    gc.collect()
    # Every step collects garbage: 0.1 s each, were the SDKs' own modules looked through each time.
    gc.freeze()
    for name in play.steps:
        perform(play, name)
    gc.collect()
    gc.freeze()


def all_told(play: Play) -> dict[str, str]:
    """What every step tells, after a rehearsal."""
    rehearse(play)
    return {name: perform(play, name) for name in play.steps}


def outcome(run: Callable[[], Any]) -> str:
    """The result or the error of a function."""
    try:
        return telling.result(run())
    except (NameError, ImportError, AssertionError):
        raise  # the play itself is wrong
    except Exception as error:  # noqa: BLE001 - told, not hidden
        return telling.error(error)


async def outcome_of(running: Coroutine[Any, Any, Any]) -> str:
    """The result or the error of a coroutine, cancellation included."""
    try:
        return telling.result(await running)
    except (NameError, ImportError, AssertionError):
        raise
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - told, not hidden
        return telling.error(error)


@contextlib.contextmanager
def _listening(heard: list[str]) -> Iterator[None]:
    """Notes warnings, what is printed, and exceptions that Python could only print."""
    spoken = io.StringIO()
    before, sys.unraisablehook = (
        sys.unraisablehook,
        lambda u: heard.append(f"ignored {u.object} {u.exc_value}"),
    )
    try:
        with (
            warnings.catch_warnings(record=True) as warned,
            contextlib.redirect_stderr(spoken),
            contextlib.redirect_stdout(spoken),
        ):
            warnings.simplefilter("always")
            yield
    finally:
        sys.unraisablehook = before
    heard += [f"{warning.category.__name__} {warning.message}" for warning in warned]
    if spoken.getvalue():
        heard.append(spoken.getvalue())
