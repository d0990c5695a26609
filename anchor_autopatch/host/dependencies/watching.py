"""Watches the operations of client libraries, of which only those that fail leave an event.

The way in, and all that an operation costs that succeeds: everything else (`telling`, and with it
the outbox) is imported at the first failure.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any

from anchor_autopatch.host.capture.layers import open_layer
from anchor_autopatch.host.patching import guarded, off

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anchor_autopatch.host.dependencies.judging import Verdict

TARGET = "errors"
"""Whose faults ours are here: a library's own target also captures provider calls, and goes on."""

FAILED_STATUSES = frozenset((429, *range(500, 600)))
"""Answers that say the service is at fault or overrun. Any other 4xx is an answer like others."""

_above: ContextVar[bool] = ContextVar("anchor_operation_above", default=False)
"""True within an operation of a layer that tries again by itself, and is watched by itself."""


class Library:
    """What one client library tells `wrap` about its operations; to be derived from."""

    name = ""

    def address(self, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any], /) -> str | None:
        """host[:port], or the kind of service where there is no host."""
        raise NotImplementedError

    def judge(self, owner: Any, links: Sequence[BaseException], /) -> Verdict | None:
        """What a failure is; None for one that is no fault of the service.

        Args:
            owner: The connection or client.
            links: What was raised and what caused it, outermost first.
        """
        raise NotImplementedError

    def is_over(self, _owner: Any, /) -> bool:
        """Whether nothing more can come of this connection: its end is told once."""
        return False


def is_on() -> bool:
    """Whether failures beside those of provider calls are told; `ANCHOR_ERRORS=0` says no."""
    return os.environ.get("ANCHOR_ERRORS") != "0"


def wrap(library: Library) -> Callable[[Any], Any]:
    """Makes a plain function around one that carries out an operation."""

    def make(original: Any) -> Any:
        @wraps(original)
        def operate(self: Any, *args: Any, **kwargs: Any) -> Any:
            # What the application is handling when it begins is the context of what fails here (a
            # cache that is asked where the database failed), and no cause of it.
            handling = id(sys.exception())
            try:
                return original(self, *args, **kwargs)
            except Exception as error:
                failed(library, error, handling, self, args, kwargs)
                raise

        return operate

    return make


def wrap_async(library: Library) -> Callable[[Any], Any]:
    """Makes a plain coroutine function around one that carries out an operation."""

    def make(original: Any) -> Any:
        @wraps(original)
        async def operate(self: Any, *args: Any, **kwargs: Any) -> Any:
            handling = id(sys.exception())
            try:
                return await original(self, *args, **kwargs)
            except Exception as error:
                failed(library, error, handling, self, args, kwargs)
                raise

        return operate

    return make


def quiet(original: Any) -> Any:
    """Makes a function in which nothing is told: who calls it tries again, or tells by itself."""

    @wraps(original)
    def operate(*args: Any, **kwargs: Any) -> Any:
        token = _above.set(True)
        try:
            return original(*args, **kwargs)
        finally:
            _above.reset(token)

    return operate


def quiet_async(original: Any) -> Any:
    """The same for a coroutine function."""

    @wraps(original)
    async def operate(*args: Any, **kwargs: Any) -> Any:
        token = _above.set(True)
        try:
            return await original(*args, **kwargs)
        finally:
            _above.reset(token)

    return operate


@guarded(TARGET)
def failed(
    library: Library,
    error: Exception,
    handling: int,
    owner: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    """Leaves an event of an operation that raised, where that is a failure of the service.

    Args:
        library: Who raised it.
        error: What the application is about to get.
        handling: `id` of what the application was handling when the operation began.
        owner: The connection or client, as in `Library`.
        args: Of the operation.
        kwargs: Of the operation.
    """
    if _is_told_elsewhere():
        return
    from anchor_autopatch.host.dependencies import telling

    telling.failed(library, error, handling, lambda: library.address(owner, args, kwargs), owner)


@guarded(TARGET)
def answered(library: Library, response: Any, status: int, address: Callable[[], Any]) -> None:
    """Leaves an event of an answer with one of FAILED_STATUSES."""
    if _is_told_elsewhere():
        return
    from anchor_autopatch.host.dependencies import telling

    telling.answered(library, response, status, address)


@guarded(TARGET)
def broke(
    library: Library,
    error: Exception,
    address: Callable[[], str | None],
    answer: Callable[[], object],
) -> None:
    """Leaves an event of a body that broke while the application read it."""
    if _is_told_elsewhere():
        return
    from anchor_autopatch.host.dependencies import bodies

    bodies.broke(library, error, address, answer)


@guarded(TARGET)
def made_of(answer: object, error: Exception) -> None:
    """Notes that an exception says of an answer what has been told of it, if it has."""
    from anchor_autopatch.host.dependencies import seen

    if seen.is_known_answer(answer):
        seen.remember(error)


def _is_told_elsewhere() -> bool:
    # A failed send inside a provider call is that call's failure.
    return _above.get() or TARGET in off or open_layer() is not None or not is_on()
