"""Who is not told of what, until when; pure. A silence hides no incident, it only keeps quiet."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from anchor_autopatch.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anchor_autopatch.core.incidents import Incident, Silence

FIELDS = ("incident", "class", "provider", "dependency", "service", "model", "code", "severity")


def parse(matcher: str) -> dict[str, str]:
    """The pairs of a matcher such as `class=rate_limited,provider=open*`.

    Raises:
        ConfigError: it names a field that no incident has, or matches everything.
    """
    pairs = {}
    for part in filter(None, (part.strip() for part in matcher.split(","))):
        field, equals, value = part.partition("=")
        if field.strip() not in FIELDS or not equals or not value.strip():
            raise ConfigError(
                f"Cannot read {part!r} in a silence; expected FIELD=VALUE with one of: "
                f"{', '.join(FIELDS)}"
            )
        pairs[field.strip()] = value.strip()
    if not pairs:
        raise ConfigError(
            f"The silence {matcher!r} would match everything; name a field, as class=..."
        )
    return pairs


def silenced(incident: Incident, silences: Iterable[Silence], now_us: int) -> bool:
    """Whether any silence that has not ended matches the incident."""
    return any(
        silence.until_us > now_us and _matches(incident, parse(silence.matcher))
        for silence in silences
    )


def _matches(incident: Incident, pairs: dict[str, str]) -> bool:
    values = {
        "incident": incident.incident_id,
        "class": incident.event_class,
        "provider": incident.provider,
        "dependency": incident.dependency,
        "service": incident.service,
        "model": incident.model,
        "code": incident.code,
        "severity": incident.severity,
    }
    return all(fnmatchcase(values[field] or "", pattern) for field, pattern in pairs.items())
