"""When a message that did not arrive is tried again, and when it is given up; pure."""

from __future__ import annotations

from zlib import crc32

from anchor_autopatch.job.incidents.records import HOUR_US

GIVE_UP_US = 72 * HOUR_US
"""A weekend and a day: as long as it may take until somebody mends a sink."""
SECOND_SINK_AFTER = 3
"""Failed tries after which the second sink is told as well."""
_LONGEST_SECONDS = 50
# Never because of the sink's state, always because of the message itself (RFC 9110, 15.5).
_UNWANTED = (400, 413, 422)
_UNWANTED_TRIES = 5


def next_try_us(key: str, tries: int, now_us: int, retry_after_s: int = 0) -> int:
    """After 1, 2, 4 ... 50 s, up to a fifth more, so that many messages do not come at once.

    No longer than a minute: a sink that works again shall know within it.

    Args:
        key: Of the message; spreads the tries, the same at every run.
        tries: How many failed so far, at least 1.
        now_us: Of the last one.
        retry_after_s: What the sink asked for; five minutes at most are given.
    """
    seconds = max(min(1 << min(tries - 1, 10), _LONGEST_SECONDS), min(retry_after_s, 300))
    spread_us = crc32(f"{key}:{tries}".encode()) % (seconds * 200_000)
    return now_us + seconds * 1_000_000 + spread_us


def is_dead(created_at_us: int, now_us: int, tries: int, http_status: int | None) -> bool:
    """Whether a message that failed once more is given up.

    Decided after a try, never before one: a sink that comes back at the last gets everything.
    """
    unwanted = http_status in _UNWANTED and tries >= _UNWANTED_TRIES
    return unwanted or now_us - created_at_us >= GIVE_UP_US
