"""Puts together who a call is for: code over headers over rules over environment, with sources.

Worked out at the first call under a binding or a request and kept there, so that the calls after
it cost one look-up.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from anchor_autopatch.core.records import Attribution
from anchor_autopatch.core.scrub import is_harmless, scrub_name
from anchor_autopatch.host import configuration
from anchor_autopatch.host.attribution import environment, otel
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.request_context import bound as _bound
from anchor_autopatch.host.request_context import inbound as _inbound

if TYPE_CHECKING:
    from collections.abc import Callable

    from anchor_autopatch.host.attribution.inbound import Facts
    from anchor_autopatch.host.attribution.rules import Rules
    from anchor_autopatch.host.capture.sites import Site
    from anchor_autopatch.host.context import Binding
    from anchor_autopatch.host.request_context import Request

VALUE_LIMIT = 256
LABEL_LIMIT = 64
_NAMES_LIMIT = 1_024
_PLACES_LIMIT = 256
_TRACE = Attribution._fields.index("trace_id")
"""The span id stands behind it."""
_JSON_LIMIT = 1_024

_environment: environment.Environment | None = None
_nobody: Base | None = None
"""For calls under no binding and no request."""
_rules: Rules | None = None
_rules_are_read = False
_facts_of: Callable[[Request], Facts] | None = None
"""`inbound.facts_of`, from the first request on: a program without requests does not import it."""
_names: dict[str, str] = {}
_traced_texts: dict[str | None, str] = {}
_json_texts: dict[tuple[tuple[str, str], ...], str] = {}
_Place = str | tuple[str | None, str | None, str | None] | None


def at_call(call_site: str | None, site: Site | None) -> Attribution:
    """The attribution of a call that begins here and now."""
    # Spelled out for a process without rules, where no request is open and nobody has bound
    # anything: 1 function instead of 5.
    place = call_site if _rules_are_read and _rules is None else _place(call_site, site)
    base = _nobody
    if base is None or _inbound.get() is not None or _bound.get() is not None:
        base = _base()
    who = base.places.get(place) or base.at(place)
    return who if otel.API not in sys.modules else _traced(who)


def below(outer: Attribution, site: Site | None) -> Attribution:
    """The attribution of a call that a layer above has begun: the same, but for rules on its place.

    The outer layer (LiteLLM) may not know where the inner one sends it, and with which key.
    """
    asked = rules() if not _rules_are_read else _rules
    if asked is None or site is None or not asked.look_at_site:
        return outer
    return at_call(outer.call_site, site)


def without_call() -> Attribution:
    """The attribution here and now, without what depends on a call."""
    return _traced(_base().at(_place(None, None)))


def of_process() -> Attribution:
    """What the environment alone says: the attribution of what no call and no request causes."""
    return (_nobody or _make_nobody()).at(_place(None, None))


def source_of(who: Attribution, field: str) -> str | None:
    """Where a field of an attribution came from."""
    found: str | None = json.loads(who.attribution_source or "{}").get(field)
    return found


def rules() -> Rules | None:
    """The rules of the policy; None where there are none."""
    global _rules, _rules_are_read
    if not _rules_are_read:
        policy = configuration.policy()
        if policy is not None and policy.rules:
            from anchor_autopatch.host.attribution.rules import Rules

            _rules = Rules(policy.rules)
        _rules_are_read = True
    return _rules


def forget() -> None:
    """Reads environment and policy anew at the next call."""
    global _environment, _nobody, _rules, _rules_are_read
    _environment = _nobody = _rules = None
    _rules_are_read = False
    configuration.forget()


def clean(value: str) -> str:
    """A value as it may be stored: without secrets and control characters, cut."""
    return value if is_harmless(value) else scrub_name(value, VALUE_LIMIT)


def clean_name(value: str) -> str:
    """Like `clean`, remembered: for the few names that a program has (routes, tasks)."""
    found = _names.get(value)
    if found is None:
        if len(_names) >= _NAMES_LIMIT:
            _names.clear()
        found = _names[value] = clean(value)
    return found


def to_json(value: dict[str, str]) -> str:
    """Compact JSON with sorted keys."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


class Base:
    """Everything about an attribution but the place of the call; never changed once made."""

    __slots__ = (
        "_default_sources",
        "_defaults",
        "_fields",
        "_labels",
        "_request",
        "_sources",
        "places",
    )

    def __init__(self, code: dict[str, str], labels: dict[str, str], facts: Facts | None) -> None:
        rest = _read_environment()
        # Not the facts, which keep this Base themselves: every request would leave a cycle behind,
        # for the garbage collector to find, 5 to 15 us.
        self._default_sources = facts.default_sources if facts else {}
        self._request = (facts.method, facts.route, facts.task) if facts else (None, None, None)
        self._fields = {**facts.fields, **code} if facts else code
        self._sources = {**(facts.sources if facts else {}), **dict.fromkeys(code, "code")}
        self._defaults = {**(facts.defaults if facts else {}), **rest.fields}
        carried = facts.labels if facts else {}
        merged = {**rest.labels, **carried, **labels}
        self._labels = to_json(merged) if merged else None
        if merged:
            source = "code" if labels else "carried" if carried else "environment"
            self._sources["labels"] = source
        self.places: dict[_Place, Attribution] = {}
        """What `at` gave before."""

    def at(self, place: _Place) -> Attribution:
        """The attribution of a call from this place."""
        found = self.places.get(place)
        if found is None:
            if len(self.places) >= _PLACES_LIMIT:
                self.places.clear()
            found = self.places[place] = self._make(place)
        return found

    def _make(self, place: _Place) -> Attribution:
        call_site = place[0] if isinstance(place, tuple) else place
        ruled = self._ruled(place) if isinstance(place, tuple) else {}
        values: dict[str, Any] = {**self._defaults, **ruled, **self._fields}
        sources = {
            **self._default_sources,
            **_read_environment().sources,
            **dict.fromkeys(ruled, "rule"),
            **self._sources,
        }
        return Attribution(
            **values,
            call_site=call_site,
            labels=self._labels,
            attribution_source=_sources_json(sources) if sources else None,
        )

    def _ruled(self, place: tuple[str | None, str | None, str | None]) -> dict[str, str]:
        asked = rules()
        if asked is None:
            return {}
        from anchor_autopatch.host.attribution.rules import Circumstances

        return asked.fields_for(Circumstances(*self._request, *place))


def _base() -> Base:
    binding: Binding | None = _bound.get()
    request: Request | None = _inbound.get()
    if request is None and binding is None:
        return _nobody or _make_nobody()
    facts = _facts(request) if request is not None else None
    if binding is None:
        return _base_of(facts) if facts is not None else _nobody or _make_nobody()
    known = binding.base
    # One binding may lie around many requests: `with attribute(...): serve()`.
    if known is None or known[0] is not facts:
        known = binding.base = (facts, Base(binding.fields, binding.labels, facts))
    return known[1]


def _base_of(facts: Facts) -> Base:
    if facts.base is None:
        facts.base = Base({}, {}, facts)
    known: Base = facts.base
    return known


def _make_nobody() -> Base:
    global _nobody
    _nobody = Base({}, {}, None)
    return _nobody


@guarded("context")
def _facts(request: Request) -> Facts | None:
    # Kept: the import statement alone takes 0.5 us, at every call below a request.
    global _facts_of
    if _facts_of is None:
        from anchor_autopatch.host.attribution.inbound import facts_of

        _facts_of = facts_of
    return _facts_of(request)


def _place(call_site: str | None, site: Site | None) -> _Place:
    asked = rules() if not _rules_are_read else _rules
    if asked is None:
        return call_site
    if site is None or not asked.look_at_site:
        return call_site, None, None
    return call_site, site.host, site.api_key_id


def _traced(who: Attribution) -> Attribution:
    if otel.API not in sys.modules:
        return who
    span = otel.current_span()
    if span is None:
        return who
    sources = _with_trace(who.attribution_source)
    return Attribution._make(
        (*who[:_TRACE], span.trace_id, span.span_id, *who[_TRACE + 2 : -1], sources)
    )


def _with_trace(sources: str | None) -> str:
    """The sources with OpenTelemetry as that of the trace; remembered, there are few of them."""
    found = _traced_texts.get(sources)
    if found is None:
        if len(_traced_texts) >= _JSON_LIMIT:
            _traced_texts.clear()
        found = to_json(json.loads(sources or "{}") | {"trace_id": "otel"})
        _traced_texts[sources] = found
    return found


def _read_environment() -> environment.Environment:
    global _environment
    if _environment is None:
        _environment = environment.read(clean)
    return _environment


def _sources_json(sources: dict[str, str]) -> str:
    key = tuple(sources.items())
    found = _json_texts.get(key)
    if found is None:
        if len(_json_texts) >= _JSON_LIMIT:
            _json_texts.clear()
        found = _json_texts[key] = to_json(sources)
    return found
