"""Answers whose head came and whose body breaks while the application reads it.

Nothing is noted of a body before that: reading one costs no more than it did. So everything that
is to be known (was it being sent still, whose is it) is looked for here, once it has failed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType

from anchor_autopatch.host import failures
from anchor_autopatch.host.capture import streams
from anchor_autopatch.host.clients import raw
from anchor_autopatch.host.dependencies import seen, telling
from anchor_autopatch.host.dependencies.watching import Library


def broke(
    library: Library,
    error: Exception,
    address: Callable[[], str | None],
    answer: Callable[[], object],
) -> None:
    """Leaves an event of a body that broke, unless the send or a provider call tells of it.

    Args:
        library: Who read it.
        error: What the application is about to get.
        address: host[:port] that the body came from.
        answer: The library's response that it is the body of; None where that cannot be found.
    """
    if seen.is_known_answer(answer()):
        # The body of an answer whose status was the failure.
        seen.remember(error)
        return
    stack = tuple(_stack())
    if any(_is_sending(frame) for frame in stack):
        # Read whole before the application gets the answer, and perhaps asked for again.
        return
    place = address()
    if not _is_of_a_call(place):
        telling.failed(library, error, _handled_above(error, stack), lambda: place, None)


def _stack() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_sending(frame: FrameType) -> bool:
    return frame.f_code.co_name == "send" and frame.f_globals is vars(raw)


def _is_of_a_call(place: str | None) -> bool:
    """Whether a provider call is read from there, which tells of its own stream.

    By host: of an SDK's stream nobody knows the response here. Another body of that host that
    breaks meanwhile is left out; a second event of one failure would be worse.
    """
    calls = [*streams.open_calls(), *(each.call for each in raw.open_bodies.values())]
    hosts = {call.site.host.removesuffix(":80") for call in calls if call.site and call.site.host}
    return place in hosts


def _handled_above(error: Exception, stack: tuple[FrameType, ...]) -> int:
    """`id` of what the application was handling when it read on, which is no cause of this.

    Its traceback begins where it was caught: in a frame that still runs. What the libraries below
    have caught began in frames that are over.
    """
    running = {id(frame) for frame in stack}
    for link in tuple(failures.chain(error))[1:]:
        trace = link.__traceback__
        if trace is not None and id(trace.tb_frame) in running:
            return id(link)
    return 0
