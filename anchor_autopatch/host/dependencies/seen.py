"""Which exceptions have left an event already, so that each failure leaves one however many see it.

An exception is known for as long as it lives, by identity. Those of Python itself (ValueError, ...)
cannot be weakly referenced, and their addresses are given out again at once: of them the last one
of each thread is known, and it is the same one only if it has travelled on since: its traceback
ends where it ended and is longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.host.capture.identity import ObjectMemo
from anchor_autopatch.host.storage.real_threads import get_ident

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

_THREADS = 1_024
_known: ObjectMemo[bool] = ObjectMemo()
"""Exceptions, and answers that were failures: what is made of such an answer is known with it."""


class _Trace(NamedTuple):
    error_id: int
    kind: type[BaseException]
    end_id: int
    length: int


_last: dict[int, _Trace] = {}
"""By thread; of exceptions that cannot be weakly referenced."""


def remember(error: BaseException) -> None:
    """Notes that an exception has left an event, or is part of one that has."""
    try:
        _known.put(error, True)
    except TypeError:
        if len(_last) > _THREADS:
            _last.clear()
        _last[get_ident()] = _trace(error)


def is_known(links: Iterable[BaseException], *, at_the_end: bool) -> bool:
    """Whether any of these, an exception and what caused it, has left an event.

    Args:
        links: Outermost first.
        at_the_end: Nobody caught it. A thread ends so once, hence the last exception that was seen
            there is this one, whether it has travelled or not.
    """
    return any(
        _known.get(link)
        or _travelled(link, at_the_end)
        or is_known_answer(getattr(link, "response", None))
        or _is_known_group(link, at_the_end)
        for link in links
    )


def _is_known_group(error: BaseException, at_the_end: bool) -> bool:
    """Whether it is a group (PEP 654) in which nothing is new."""
    return isinstance(error, BaseExceptionGroup) and all(
        is_known((each,), at_the_end=at_the_end) for each in error.exceptions
    )


def remember_answer(answer: object) -> None:
    """Notes that an answer (a response object) has left an event."""
    try:
        _known.put(answer, True)
    except TypeError:
        # It can be known by nothing else; what is raised about it leaves an event of its own.
        return


def is_known_answer(answer: object) -> bool:
    """Whether an answer has left an event, or the one below that it was made of (requests)."""
    return bool(_known.get(answer) or _known.get(getattr(answer, "raw", None)))


def _travelled(error: BaseException, at_the_end: bool) -> bool:
    before = _last.get(get_ident())
    if before is None or before.error_id != id(error):
        return False
    now = _trace(error)
    further = now.length - before.length
    return now[:3] == before[:3] and (further > 0 or (at_the_end and further == 0))


def _trace(error: BaseException) -> _Trace:
    end: TracebackType | None = error.__traceback__
    length = 0
    while end is not None and end.tb_next is not None:
        end, length = end.tb_next, length + 1
    return _Trace(id(error), type(error), id(end), length)
