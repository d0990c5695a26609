"""The script: rules posted to /_sim/script that decide what the next matching requests get."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from examples.provider_sim.plans import WishError, make_plan
from examples.provider_sim.values import Json

_SCOPE = ("path", "model", "provider", "times", "skip")


OPENING = "#open"
"""What stands behind the path of a session that is being opened."""


@dataclass(slots=True)
class Rule:
    """One rule: which requests it is for, how many of them are left, and the wishes it grants."""

    number: int
    path: str
    model: str
    provider: str
    times: int | None
    skip: int
    wishes: Json = field(default_factory=dict)

    def matches(self, provider: str, path: str, model: str) -> bool:
        """Say whether the rule covers a request; path and model are globs, path also a part."""
        return (
            (not self.provider or self.provider == provider)
            and (not self.path or self.path in path or fnmatchcase(path, self.path))
            # A session is opened by the way: a rule for its turns must not be used up by that.
            and (path.endswith(OPENING) <= self.path.endswith(OPENING))
            and (not self.model or fnmatchcase(model, self.model))
        )

    def take(self) -> Json | None:
        """Use the rule once; None while it still skips or when it is used up."""
        if self.skip > 0:
            self.skip -= 1
            return None
        if self.times is None:
            return self.wishes
        if self.times <= 0:
            return None
        self.times -= 1
        return self.wishes


class Script:
    """The rules in order of posting; the first that applies is used, no other."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._count = 0

    def add(self, raw: Json) -> int:
        """Append a rule and return its number.

        Raises:
            WishError: when a wish or the scope is not understood.
        """
        wishes = {key: value for key, value in raw.items() if key not in _SCOPE}
        # Only to complain now, not at some later request.
        make_plan(wishes)
        times = raw.get("times", 1)
        if times is not None and (not isinstance(times, int) or times < 1):
            raise WishError(
                f"Rule times={times!r} must be a positive whole number, or null for ever"
            )
        self._count += 1
        rule = Rule(
            number=self._count,
            path=str(raw.get("path") or ""),
            model=str(raw.get("model") or "") if "model" in raw else "",
            provider=str(raw.get("provider") or ""),
            times=times,
            skip=int(raw.get("skip") or 0),
            wishes=wishes,
        )
        self._rules.append(rule)
        return rule.number

    def take(self, provider: str, path: str, model: str) -> Json:
        """Return the wishes for one request and count it; {} when no rule applies."""
        # One rule a request: overlapping rules would otherwise use each other up.
        for rule in self._rules:
            if rule.matches(provider, path, model):
                wishes = rule.take()
                if rule.times == 0:
                    self._rules.remove(rule)
                if wishes is not None:
                    return wishes
        return {}

    def rows(self) -> list[Json]:
        """Return the rules that are still open."""
        return [
            {
                "rule": rule.number,
                "path": rule.path,
                "model": rule.model,
                "provider": rule.provider,
                "times": rule.times,
                "skip": rule.skip,
                "wishes": rule.wishes,
            }
            for rule in self._rules
        ]
