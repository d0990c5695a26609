"""The SQL of a division, from the files of `sql/allocation`, one for each of its stages."""

from __future__ import annotations

from functools import cache

from anchor_autopatch.job.sql import load

__all__ = ("statements",)

_STAGES = ("renewing", "weighing", "matching", "paying", "splitting", "keeping", "calendars")


@cache
def statements() -> dict[str, str]:
    """Statement name -> SQL."""
    return {name: sql for stage in _STAGES for name, sql in load(f"allocation/{stage}").items()}
