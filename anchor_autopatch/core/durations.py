"""Times as `anchor.toml` and the commands write them: `30s`, `10m`, `4h`, `2d`."""

from __future__ import annotations

import re

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.incidents import DAY_US, HOUR_US, MINUTE_US

_UNITS = {"s": 1_000_000, "m": MINUTE_US, "h": HOUR_US, "d": DAY_US}
_DURATION = re.compile(r"([0-9]{1,6})\s{0,2}([smhd])")


def duration_us(value: object, name: str) -> int:
    """Microseconds of a text such as `30s`, `10m`, `4h`, `2d`.

    Raises:
        ConfigError: the value is no such text.
    """
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    # Nor zero: reminders would follow each other at once, and no quiet would end every incident.
    if found is None or not int(found[1]):
        raise ConfigError(f"Cannot use {value!r} for {name!r}; expected a time such as '10m', '4h'")
    return int(found[1]) * _UNITS[found[2]]
