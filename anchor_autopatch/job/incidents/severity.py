"""How bad an incident is; pure.

What does not mend itself is critical at its first occurrence. What providers recover from is judged
by how fast it burns the error budget, in two windows each, so that neither a spike nor the memory
of one wakes somebody up (Google, The Site Reliability Workbook, chapter 5 "Alerting on SLOs", 2018;
read 2026-11). The book calls its method unsuitable for low traffic: there, failures in a row count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from anchor_autopatch.core.conditions import SEVERITIES
from anchor_autopatch.core.incidents import AT_ONCE
from anchor_autopatch.job.incidents.records import DAY_US, HOUR_US, MINUTE_US, Counts, Incident

BY_RATE = frozenset(
    (
        *("rate_limited", "provider_overloaded", "provider_5xx", "timeout", "network"),
        *("partial_stream", "bad_request"),
    )
)
_BUDGET_PERCENT = 1
"""Share of calls that may fail: an objective of 99 %."""
_ENOUGH_CALLS = 20
_IN_A_ROW = 5


class _Burn(NamedTuple):
    tenths: int
    """Budgets burnt at once, times ten."""
    long_us: int
    short_us: int
    severity: str


_BURNS = (
    _Burn(144, HOUR_US, 5 * MINUTE_US, "critical"),
    _Burn(60, 6 * HOUR_US, 30 * MINUTE_US, "critical"),
    _Burn(10, 3 * DAY_US, 6 * HOUR_US, "warning"),
)
LONGEST_US = 3 * DAY_US
"""How far back counts are looked at."""


def severity_of(incident: Incident, counts: Callable[[int], Counts], in_a_row: int) -> str:
    """One of SEVERITIES, as of now.

    Args:
        incident: As counted so far.
        counts: Calls of the window of that many microseconds that ends now.
        in_a_row: Calls that failed since the last success.
    """
    known = AT_ONCE.get(incident.event_class) or SEVERITIES.get(incident.event_class)
    if known is not None:
        return known
    if incident.provider is None:
        # Of other dependencies only the failures are known, no successes: no rate can be told.
        return "error" if in_a_row >= _IN_A_ROW else "warning"
    for burn in _BURNS:
        if _burns(burn, counts):
            return burn.severity
    if in_a_row >= _IN_A_ROW:
        return "error"
    # A job that calls once a day and fails has no rate; nothing that worked stands against it.
    return "warning" if in_a_row and not counts(HOUR_US).succeeded else "info"


def _burns(burn: _Burn, counts: Callable[[int], Counts]) -> bool:
    long, short = counts(burn.long_us), counts(burn.short_us)
    return long.total >= _ENOUGH_CALLS and all(
        window.failed * 1_000 >= burn.tenths * _BUDGET_PERCENT * window.total and window.failed > 0
        for window in (long, short)
    )


def is_incident(incident: Incident, severity: str) -> bool:
    """Whether what was seen so far is one; a refused request alone is the caller's business."""
    return incident.event_class != "bad_request" or severity in ("error", "critical")
