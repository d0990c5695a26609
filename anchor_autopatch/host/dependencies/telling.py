"""Leaves the one event of a failed operation on a service that the application depends on.

Which service and which class of failure: nothing that the operation was about (no path, no query,
no statement, no text of an exception, which quotes them).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from anchor_autopatch.core.records import ExceptionEvent
from anchor_autopatch.core.scrub import scrub
from anchor_autopatch.host import callsite, events, failures, ids
from anchor_autopatch.host.attribution import resolving
from anchor_autopatch.host.capture.identity import ObjectMemo
from anchor_autopatch.host.dependencies import seen
from anchor_autopatch.host.dependencies.judging import Verdict, of_status
from anchor_autopatch.host.dependencies.watching import Library

# SDKs look there whether they run in a cloud; on every other machine nobody answers.
_METADATA_SERVICES = frozenset(
    ("169.254.169.254", "169.254.170.2", "[fd00:ec2::254]", "metadata.google.internal")
)
# LiteLLM asks for its price table when it is imported, and has one at hand where nobody answers.
_MENDED_BY = frozenset(("litellm.litellm_core_utils.get_model_cost_map",))
_DEPTH = 40
_CODE_LIMIT = 128
_broken: ObjectMemo[bool] = ObjectMemo()
"""Connections whose end has been told: what fails on them afterwards (rollback, close) is a
consequence."""


def failed(
    library: Library,
    error: Exception,
    handling: int,
    address: Callable[[], str | None],
    owner: object,
) -> None:
    """Leaves an event of what an operation raised, unless it is known or nobody's fault.

    What caused the exception is known from now on, and so is the exception, to every layer above.
    """
    links = tuple(failures.chain(error, handling))
    if seen.is_known(links, at_the_end=False):
        seen.remember(error)
        return
    verdict = library.judge(owner, links)
    if verdict is None:
        return
    # Outermost last: of Python's own exceptions only the last one is known.
    for link in reversed(links):
        seen.remember(link)
    if _broken.get(owner) is not None:
        return
    _record(library, verdict, address(), links)
    if library.is_over(owner):
        _broken.put(owner, True)


def answered(
    library: Library, response: object, status: int, address: Callable[[], str | None]
) -> None:
    """Leaves an event of an answer that is a failure, unless a layer below has told of it.

    Exceptions that are made of this answer (`raise_for_status`) are known from now on.
    """
    verdict = of_status(status)
    if verdict is None or seen.is_known_answer(response):
        return
    seen.remember_answer(response)
    _record(library, verdict, address(), ())


def _record(
    library: Library, verdict: Verdict, address: str | None, links: Sequence[BaseException]
) -> None:
    if (address is not None and address in _METADATA_SERVICES) or _is_mended_above():
        return
    names = [type(link).__name__ for link in links] or ["HTTPStatusError"]
    status = f": HTTP {verdict.http_status}" if verdict.http_status is not None else ""
    who = resolving.without_call()._replace(call_site=callsite.find())
    event = ExceptionEvent(
        event_id=ids.uuid7(),
        occurred_at_us=time.time_ns() // 1000,
        event_class=verdict.event_class,
        provider=None,
        dependency=address,
        http_status=verdict.http_status,
        code=scrub(verdict.code, _CODE_LIMIT) if verdict.code is not None else None,
        exception_type=names[0],
        message=scrub(" < ".join(names) + status),
        sdk=library.name,
        operation=None,
        request_model=None,
        attempts=None,
        retried=0,
        receipt_id=None,
        **who._asdict(),
    )
    events.leave(event)


def _is_mended_above() -> bool:
    """Whether this was asked by a function that does without an answer."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_DEPTH):
        if frame is None:
            return False
        if frame.f_globals.get("__name__") in _MENDED_BY:
            return True
        frame = frame.f_back
    return False


def hosts(host: Any, port: Any) -> str:
    """host:port as it is stored; a socket in the file system is this machine."""
    text = str(host or "localhost")
    if text.startswith(("/", "@")):
        text = "localhost"
    if ":" in text and not text.startswith("["):
        text = f"[{text}]"
    return f"{text}:{port}".lower() if port else text.lower()
