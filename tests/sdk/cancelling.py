"""Calls that the application gives up: by what has happened, not by a clock that may be late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest


async def cancelled(call: Coroutine[Any, Any, object], begun: Callable[[], object]) -> None:
    """Runs a call until `begun` says so, cancels it, and waits until it has ended."""
    task = asyncio.ensure_future(call)
    # A call that ends by itself is told by its own error, not by a test that never ends.
    while not begun() and not task.done():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
