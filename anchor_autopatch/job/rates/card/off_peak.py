"""Off-peak windows of a model, as the minutes of a UTC week."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from anchor_autopatch.job.rates.card.fields import Entry

_HOUR = 60
_DAY = 24 * _HOUR
_WEEK = 7 * _DAY
_EVERY_DAY = tuple(range(1, 8))
_DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Any Monday does: the zones that price lists name have no daylight saving time.
_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


def week_minutes(block: Entry) -> str:
    """10,080 characters, '1' for an off-peak minute, from Monday 00:00 UTC.

    Windows are `HH:MM-HH:MM` in UTC, start inclusive, end exclusive; one that ends before it starts
    wraps past midnight; equal ends mean the whole day. What cannot be read is not off-peak.
    """
    minutes = bytearray(b"0" * _WEEK)
    shift = _calendar_shift(block.get("weekday_timezone"))
    for hours, weekdays in _rules(block):
        for start, end in _spans(hours):
            for minute in range(start, end):
                for day in _EVERY_DAY:
                    at = (day - 1) * _DAY + minute
                    if ((at + shift) % _WEEK) // _DAY + 1 in weekdays:
                        minutes[at] = ord("1")
    return minutes.decode()


def _rules(block: Entry) -> Iterator[tuple[object, frozenset[int]]]:
    yield block.get("hours_utc"), frozenset(_EVERY_DAY)
    windows = block.get("windows")
    for window in windows if isinstance(windows, list) else ():
        if isinstance(window, dict):
            yield window.get("hours_utc"), _weekdays(window.get("weekdays"))


def _weekdays(value: object) -> frozenset[int]:
    if value is None:
        return frozenset(_EVERY_DAY)
    found = (_weekday(day) for day in (value if isinstance(value, list) else ()))
    return frozenset(day for day in found if day)


def _weekday(value: object) -> int:
    """1 = Monday ... 7 = Sunday; 0 for what is no weekday."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value in _EVERY_DAY else 0
    name = str(value).strip().lower()[:3]
    return _DAY_NAMES.index(name) + 1 if name in _DAY_NAMES else 0


def _spans(hours: object) -> Iterator[tuple[int, int]]:
    for text in hours if isinstance(hours, list) else (hours,):
        start, dash, end = str(text).partition("-")
        first, last = _minute(start), _minute(end)
        if not dash or first is None or last is None:
            continue
        if first < last:
            yield first, last
        else:
            yield first, _DAY
            yield 0, last


def _minute(text: str) -> int | None:
    hours, colon, minutes = text.strip().partition(":")
    if not (colon and hours.isdigit() and minutes.isdigit()):
        return None
    value = int(hours) * _HOUR + int(minutes)
    return value if value < _DAY and int(minutes) < _HOUR else None


def _calendar_shift(zone: object) -> int:
    """Minutes from UTC to the calendar that weekdays are read on."""
    if not isinstance(zone, str):
        return 0
    try:
        offset = _MONDAY.astimezone(ZoneInfo(zone.strip())).utcoffset()
    except (ValueError, ZoneInfoNotFoundError):
        return 0
    return (offset or timedelta()) // timedelta(minutes=1)
