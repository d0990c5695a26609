"""What a storm of failures leaves: the first ones in full, then those that are alike as one row.

An outage makes thousands of failures a second that say the same. Fifty a minute are rows of their
own; after those a row tells of each cause that is new, and for the rest rows say how many followed
alike (`occurrences`), so that counts stay exact while the outbox stays small. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.failures import HEADERS_REFUSED
from anchor_autopatch.core.fingerprint import fingerprint

if TYPE_CHECKING:
    from anchor_autopatch.core.records import ExceptionEvent

MINUTE_SECONDS = 60.0
IN_FULL = 50
"""Failures a minute that are rows of their own, whatever they are."""
CAUSES = 50
"""Causes a minute that are told apart; beyond them one bucket for each provider."""
_KINDS = 500
"""Of what is told apart within the causes: applications, models, tries."""
HELD_SECONDS = 5.0
HELD_AT_MOST = 1_000
"""Failures that are counted before a row says so: what a process that is killed may take along."""
OVERFLOW = "storm"
"""Error code of the bucket."""
# Their `attempts` is a count already.
_NEVER_COUNTED = frozenset((HEADERS_REFUSED, "internal"))

_Key = tuple[object, ...]


class _Held(NamedTuple):
    event: ExceptionEvent
    """The latest one."""
    failures: int
    since: float


class Storm:
    """The failures of one process within a minute; instants are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._began = float("-inf")
        self._rows = 0
        self._causes: set[object] = set()
        self._kinds: set[_Key] = set()
        self._held: dict[_Key, _Held] = {}

    @property
    def is_holding(self) -> bool:
        """Whether failures were counted that no row has told of."""
        return bool(self._held)

    def take(self, event: ExceptionEvent, now: float) -> list[ExceptionEvent]:
        """The rows that are to be written now; none where the event was only counted."""
        if event.receipt_id is not None or event.event_class in _NEVER_COUNTED:
            # A receipt may have been billed: it is looked for by its id.
            return [event]
        before: list[ExceptionEvent] = []
        if now - self._began >= MINUTE_SECONDS:
            before = self.take_held(now, of_all=True)
            self._begin(now)
        self._rows += 1
        cause = fingerprint(event)
        key = _key(event, cause)
        if self._rows > IN_FULL and self._is_too_many(cause, key):
            event = _nameless(event)
            cause = fingerprint(event)
            key = _key(event, cause)
        if self._rows > IN_FULL and key in self._kinds:
            return self._count(key, event, now)
        self._causes.add(cause)
        self._kinds.add(key)
        return [*before, event]

    def take_held(self, now: float, *, of_all: bool = False) -> list[ExceptionEvent]:
        """Rows for what was counted long enough ago, or for all of it."""
        due = [
            key
            for key, held in self._held.items()
            if of_all or held.failures >= HELD_AT_MOST or now - held.since >= HELD_SECONDS
        ]
        return [_row(self._held.pop(key)) for key in due]

    def _begin(self, now: float) -> None:
        self._began, self._rows = now, 0
        self._causes.clear()
        self._kinds.clear()

    def _is_too_many(self, cause: object, key: _Key) -> bool:
        if key in self._kinds:
            return False
        new_cause = cause not in self._causes
        return (new_cause and len(self._causes) >= CAUSES) or len(self._kinds) >= _KINDS

    def _count(self, key: _Key, event: ExceptionEvent, now: float) -> list[ExceptionEvent]:
        before = self._held.get(key)
        self._held[key] = _Held(
            event, before.failures + 1 if before else 1, before.since if before else now
        )
        return self.take_held(now)


def _key(event: ExceptionEvent, cause: object) -> _Key:
    """Equal for failures that one row may stand for: all but who asked, when, and the words."""
    return (
        cause,
        event.event_class,
        event.provider,
        event.dependency,
        event.http_status,
        event.code,
        event.exception_type,
        event.sdk,
        event.operation,
        event.request_model,
        # First try or a later one: that is what incidents count apart.
        (event.attempts or 1) > 1,
        event.retried,
        event.team,
        event.service,
        event.feature,
        event.environment,
        event.region,
        event.cost_center,
        event.call_site,
    )


def _nameless(event: ExceptionEvent) -> ExceptionEvent:
    """The event as one of a bucket: whose it is and what failed, not why."""
    return event._replace(
        dependency=None,
        http_status=None,
        code=OVERFLOW,
        exception_type=None,
        message=f"One of more than {CAUSES} causes within a minute",
        sdk=None,
        operation=None,
        request_model=None,
        feature=None,
        region=None,
        cost_center=None,
        call_site=None,
    )


def _row(held: _Held) -> ExceptionEvent:
    if held.failures == 1:
        return held.event
    # Whose request it was is known of the last one only.
    return held.event._replace(
        user_id=None,
        request_id=None,
        trace_id=None,
        span_id=None,
        labels=None,
        occurrences=held.failures,
    )
