"""Runs every step of a generator inside a context manager, which is left while the generator waits.

A `with` block in the generator itself would stay open between two steps, in the context of whoever
iterates it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager
from typing import Any


def bound(
    steps: Generator[Any, Any, Any], inside: AbstractContextManager[object]
) -> Generator[Any, Any, Any]:
    """The same generator (PEP 380), with `inside` entered for each of its steps."""
    advance: Callable[..., Any] = steps.send
    given: Any = None
    while True:
        try:
            with inside:
                step = advance(given)
        except StopIteration as stop:
            return stop.value
        try:
            given = yield step
            advance = steps.send
        except GeneratorExit:
            with inside:
                steps.close()
            raise
        except BaseException as error:  # noqa: BLE001 - handed to the generator that it is meant for
            given, advance = error, steps.throw


async def bound_async(
    steps: AsyncGenerator[Any, Any], inside: AbstractContextManager[object]
) -> AsyncGenerator[Any, Any]:
    """The same asynchronous generator, with `inside` entered for each of its steps."""
    advance: Callable[..., Any] = steps.asend
    given: Any = None
    while True:
        try:
            with inside:
                step = await advance(given)
        except StopAsyncIteration:
            return
        try:
            given = yield step
            advance = steps.asend
        except GeneratorExit:
            with inside:
                await steps.aclose()
            raise
        except BaseException as error:  # noqa: BLE001 - handed to the generator that it is meant for
            given, advance = error, steps.athrow
