"""What becomes of a method's request: captured, free, not yet, or unknown.

What is captured is asked of the patches themselves; what is not stands in `verdicts/<sdk>.toml`:

    [helpers]          method = the request that it sends, where its source shows none or another
    [[free]]           why, and the methods or routes that cost nothing
    [[not_yet]]        why, and the methods or routes that may cost money and leave no receipt

A route is `GET|DELETE /files/*`: `*` stands for one part that varies (`{file_id}`), a last `/**`
for any rest. A new `/files/summarize` is not meant by it, and has no verdict.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from anchor_autopatch.surface.captured import operation
from anchor_autopatch.surface.source import Method

CAPTURED = "captured"
FREE = "free"
NOT_YET = "not yet"
UNKNOWN = "has no verdict"
"""The problem of a method that nobody has looked at."""


class Verdict(NamedTuple):
    """What becomes of one request of one method."""

    kind: str
    """captured | free | not yet."""
    why: str
    """The operation on the receipt, or the reason."""


class Unclear(NamedTuple):
    """A method without exactly one verdict, and what to do about it."""

    method: Method
    problem: str


class _Rule(NamedTuple):
    verdict: Verdict
    methods: frozenset[str]
    routes: tuple[str, ...]


class Verdicts:
    """The verdicts on one SDK."""

    def __init__(self, sdk: str, helpers: dict[str, str], rules: list[_Rule]) -> None:
        self.sdk = sdk
        self.helpers = helpers
        self._rules = rules

    def on(self, method: Method) -> Verdict | Unclear:
        """The verdict on a method, or why there is none."""
        method = self.sent(method)
        captured = operation(self.sdk, method)
        found = self._by_name(method) or self._by_route(method.route)
        # A verdict that a patch has overtaken hides nothing now, and would hide its loss later.
        if captured is not None:
            if found:
                return Unclear(method, f"is captured as {captured}, but listed as {found[0].kind}")
            return Verdict(CAPTURED, captured)
        if not found:
            return Unclear(method, UNKNOWN)
        if len(set(found)) > 1:
            return Unclear(method, "has several verdicts")
        return found[0]

    def sent(self, method: Method) -> Method:
        """The method with its request, which the file may know better than the source does."""
        return Method(method.name, self.helpers.get(method.name, method.route))

    def unused(self, methods: Iterable[Method]) -> Iterator[str]:
        """Names and routes of the file that fit none of these methods."""
        known = list(methods)
        names, sent = {method.name for method in known}, {self.sent(m).route for m in known}
        listed = {name for rule in self._rules for name in rule.methods}
        yield from sorted((listed | set(self.helpers)) - names)
        for rule in self._rules:
            for route in rule.routes:
                if not any(_pattern(route).fullmatch(one) for one in sent):
                    yield route

    def _by_name(self, method: Method) -> list[Verdict]:
        return [rule.verdict for rule in self._rules if method.name in rule.methods]

    def _by_route(self, route: str) -> list[Verdict]:
        """The verdicts of the routes that fit; `/files/*/content` counts before `/files/**`."""
        found = [
            (pattern.count("*"), rule.verdict)
            for rule in self._rules
            for pattern in rule.routes
            if _pattern(pattern).fullmatch(route)
        ]
        fewest = min(found, default=(0,))[0]
        return [verdict for stars, verdict in found if stars == fewest]


def read(sdk: str) -> Verdicts:
    """The verdicts on an SDK."""
    text = files("anchor_autopatch.surface").joinpath("verdicts", f"{sdk}.toml").read_text("utf-8")
    table = tomllib.loads(text)
    rules = [
        *(_rule(FREE, entry) for entry in table.get("free", ())),
        *(_rule(NOT_YET, entry) for entry in table.get("not_yet", ())),
    ]
    return Verdicts(sdk, table.get("helpers", {}), rules)


def unclear(verdicts: Verdicts, methods: Iterable[Method]) -> list[Unclear]:
    """The methods that need a person: new ones, and those whose verdict is out of date."""
    found = (verdicts.on(method) for method in sorted(methods))
    return [one for one in found if isinstance(one, Unclear)]


def _rule(kind: str, entry: dict[str, Any]) -> _Rule:
    return _Rule(
        Verdict(kind, entry["why"]),
        frozenset(entry.get("methods", ())),
        tuple(entry.get("routes", ())),
    )


# Every method is compared with every route of its SDK.
@cache
def _pattern(route: str) -> re.Pattern[str]:
    verbs, _, path = route.partition(" ")
    rest = path.endswith("/**")
    parts = (re.escape(part) for part in path.removesuffix("/**").split("*"))
    verb = r"\S+" if verbs == "*" else f"(?:{verbs})"
    varying = r"\{[^/:]*\}"
    return re.compile(f"{verb} {varying.join(parts)}{'(?:/.*)?' if rest else ''}")
