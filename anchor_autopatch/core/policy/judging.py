"""Whether an attribution is what the policy asks for, and what follows when it is not."""

from __future__ import annotations

from typing import NamedTuple

from anchor_autopatch.core.policy.records import Policy
from anchor_autopatch.core.records import Attribution

_SHOWN_WORDS = 10


class Violation(NamedTuple):
    """One field that is not what the policy asks for."""

    field: str
    value: str | None
    """None = nobody gave it."""
    known: frozenset[str] = frozenset()
    """The values that are allowed; empty where any is."""

    @property
    def text(self) -> str:
        """What is wrong, in words."""
        if self.value is None:
            return f"{self.field!r} is missing"
        words = sorted(self.known)
        more = ", ..." if len(words) > _SHOWN_WORDS else ""
        return f"{self.field!r} is {self.value!r} (known: {', '.join(words[:_SHOWN_WORDS])}{more})"


def violations(policy: Policy, who: Attribution) -> tuple[Violation, ...]:
    """The fields that are missing or outside their vocabulary; () when all is well."""
    found = [Violation(field, None) for field in policy.required if getattr(who, field) is None]
    for field, words in policy.vocabularies.items():
        value = getattr(who, field)
        if value is not None and value not in words:
            found.append(Violation(field, value, words))
    return tuple(found)


def mode_of(policy: Policy, who: Attribution, now_us: int) -> str:
    """One of MODES, for a call of this attribution at this instant."""
    # The first that fits, as with rules: what stands higher in the file wins.
    for override in policy.overrides:
        if (
            now_us < override.until_us
            and override.environment in (None, who.environment)
            and override.team in (None, who.team)
            and override.service in (None, who.service)
        ):
            return override.mode
    return policy.modes.get(who.environment or "", policy.mode)
