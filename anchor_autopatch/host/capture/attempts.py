"""HTTP requests of one call that failed and that the SDK sent again by itself.

Each leaves an exception event when it is sent again, not before: a failure after which nothing
follows is the call's own, and `Call.fail` tells it. So every failed request is one event, whichever
layers see it. All hooks are in functions that run only between two tries: a call that is answered
at once pays nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, NamedTuple

from anchor_autopatch.core.failures import Failure
from anchor_autopatch.host import failures, ids
from anchor_autopatch.host.capture.layers import open_layer
from anchor_autopatch.host.patching import guarded

if TYPE_CHECKING:
    from anchor_autopatch.host.capture.calls import Call

UNANSWERED = "unanswered_attempts"
"""Price fact: earlier requests of the call that may have been billed beside the answered one."""


class Lost(NamedTuple):
    """A request that brought no answer: what was read of its error, not the error itself.

    A kept error holds every frame that it passed through, and with them the application's objects.
    """

    failure: Failure
    failure_class: str
    may_be_billed: bool


@guarded("attempts")
def lost(call: Call, error: BaseException) -> None:
    """Notes that a request of the call brought no answer; told if another one follows."""
    call.lost = _read(call, error)


def sent_again(call: Call) -> None:
    """Tells of the request noted last, because another one of the same call is being sent."""
    if call.lost is not None:
        _tell(call, call.lost)


def failed(call: Call, error: BaseException) -> None:
    """Tells of a request that the SDK is about to send again because of this error."""
    _tell(call, _read(call, error))


def before_retry(
    target: str, error_of: Callable[..., BaseException | None] | None = None
) -> Callable[[Any], Any]:
    """Makes a function that an SDK calls only when it is about to try again.

    Args:
        target: The SDK; only its own open call is looked at.
        error_of: Takes that function's arguments and gives the error of the failed request; None
            for the error that is being handled.
    """

    @guarded(target)
    def note(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        call = open_layer()
        if call is None or call.target != target:
            return
        error = error_of(*args, **kwargs) if error_of is not None else None
        error = error or sys.exception()
        if error is not None and id(error) != call.handling:
            failed(call, error)

    def make(original: Any) -> Any:
        if iscoroutinefunction(original):

            @wraps(original)
            async def waiting(*args: Any, **kwargs: Any) -> Any:
                note(args, kwargs)
                return await original(*args, **kwargs)

            return waiting

        @wraps(original)
        def plain(*args: Any, **kwargs: Any) -> Any:
            note(args, kwargs)
            return original(*args, **kwargs)

        return plain

    return make


def _read(call: Call, error: BaseException) -> Lost:
    failure = failures.read(error, call.handling)
    failure_class = failures.classify_error(error, failure, call.handling)
    billed = failures.may_be_billed(error, failure_class, failure.http_status, call.handling)
    return Lost(failure, failure_class, billed)


def _tell(call: Call, found: Lost) -> None:
    call.lost = None
    call.attempts = call.attempts or 1
    if found.failure_class != "client_cancelled":
        receipt_id = _reserved_receipt(call) if found.may_be_billed and call.billable else None
        failures.record(call, found.failure, found.failure_class, receipt_id, retried=True)
    call.attempts += 1


def _reserved_receipt(call: Call) -> str:
    """The id of the receipt that this call will leave in any case, now that it may be billed."""
    call.receipt_id = call.receipt_id or ids.uuid7()
    facts = call.facts or {}
    before = facts.get(UNANSWERED)
    call.facts = {**facts, UNANSWERED: before + 1 if isinstance(before, int) else 1}
    return call.receipt_id
