"""What the open request or task says about who it is for, worked out at its first provider call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from anchor_autopatch.core.policy.records import Inbound
from anchor_autopatch.host import configuration, ids
from anchor_autopatch.host.attribution import headers
from anchor_autopatch.host.attribution.resolving import LABEL_LIMIT, clean, clean_name
from anchor_autopatch.host.patching import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from anchor_autopatch.host.request_context import Request

_CARRIED = (
    "team", "service", "feature", "environment", "cost_center", "user_id", "request_id", "trace_id"
)  # fmt: skip
HEADER, CARRIER, REQUEST, ROUTE, TASK = "header", "carried", "request", "route", "task"
"""Sources, as they stand in `attribution_source`."""


class _Said:
    """Fields with their sources, the last word on a field being the one that counts."""

    def __init__(self, outer: Facts | None) -> None:
        self.fields: dict[str, str] = dict(outer.fields) if outer else {}
        self.sources: dict[str, str] = dict(outer.sources) if outer else {}
        self.labels: dict[str, str] = dict(outer.labels) if outer else {}

    def add(self, source: str, fields: dict[str, str]) -> None:
        for field, value in fields.items():
            self.fields[field] = value
            self.sources[field] = source

    def put(self, source: str, field: str, value: str) -> None:
        self.fields[field] = value
        self.sources[field] = source


class Facts:
    """One request's word on its attribution; never changed once made."""

    __slots__ = (
        "base",
        "default_sources",
        "defaults",
        "fields",
        "labels",
        "method",
        "route",
        "sources",
        "task",
    )

    def __init__(self, said: _Said, request: Request, route: str | None, task: str | None) -> None:
        self.fields = said.fields
        self.sources = said.sources
        self.labels = said.labels
        feature, source = (task, TASK) if request.kind == "task" else (route, ROUTE)
        self.defaults = {"feature": feature} if feature else {}
        """Fields that anything else outranks."""
        self.default_sources = {"feature": source} if feature else {}
        self.route = route
        self.task = task
        self.method = request.method
        self.base: Any = None
        """What `resolving` made of it."""


def facts_of(request: Request) -> Facts:
    """What is known of the request now; kept once nothing of it can change any more."""
    known: Facts | None = request.resolved
    if known is not None:
        return known
    outer = facts_of(request.outer) if request.outer is not None else None
    policy = configuration.policy()
    inbound = policy.inbound if policy is not None else Inbound()
    said = _Said(outer)
    _take_carried(request, said)
    believed = _believed(request, inbound)
    if believed is not None:
        said.add(HEADER, believed.fields)
        if believed.trace_id is not None:
            said.put(HEADER, "trace_id", believed.trace_id)
    user_is_known = _take_user(request, inbound, said)
    _take_request_id(request, inbound, believed, said)
    # Nothing of the application's is called for a text that its framework has left.
    named = _called(request.route) if callable(request.route) else request.route
    route = _name(named) or (outer.route if outer else None)
    task = _name(request.task) or (outer.task if outer else None)
    found = Facts(said, request, route, task)
    # A call from a middleware comes before the framework has matched the route or found the user:
    # then the next call asks again.
    if user_is_known and (route is not None or request.route is None):
        request.resolved = found
    return found


def _take_carried(request: Request, said: _Said) -> None:
    carried = request.carried
    if not carried:
        return
    given = ((name, carried.get(name)) for name in _CARRIED)
    said.add(CARRIER, {name: clean(text) for name, text in given if isinstance(text, str) and text})
    said.labels.update(_labels(carried.get("labels")) or {})


@guarded("context")
def _labels(text: object) -> dict[str, str]:
    labels = json.loads(text) if isinstance(text, str) else {}
    if not isinstance(labels, dict):
        return {}
    return {
        clean(str(name)): clean(str(value)) for name, value in list(labels.items())[:LABEL_LIMIT]
    }


@guarded("context")
def _believed(request: Request, inbound: Inbound) -> headers.Believed | None:
    return headers.read(request, inbound) if request.header is not None else None


def _take_user(request: Request, inbound: Inbound, said: _Said) -> bool:
    """Takes the user that the policy points to; False when one may still turn up."""
    if inbound.user_id is None:
        return True
    user = _user(request, inbound)
    if user:
        said.put(HEADER if inbound.user_id[0] == "header" else REQUEST, "user_id", user)
    return bool(user)


@guarded("context")
def _user(request: Request, inbound: Inbound) -> str | None:
    place, name = inbound.user_id or ("", "")
    if place == "header":
        return headers.read_one(request, name, inbound)
    if request.lookup is None:
        return None
    found = request.lookup(place, name)
    return clean(str(found)) if found is not None else None


def _take_request_id(
    request: Request, inbound: Inbound, believed: headers.Believed | None, said: _Said
) -> None:
    sent = believed.request_id if believed is not None else None
    if not sent and inbound.request_id_header is not None:
        sent = _sent_request_id(request, inbound)
    if sent is not None:
        said.put(HEADER, "request_id", sent)
    elif "request_id" not in said.fields:
        # A task keeps the id of the request that submitted it. The framework's own is none that
        # the client chose. Kept on the request, so that all its calls have the same one.
        if request.request_id is None:
            request.request_id = request.made_id(ids.uuid7())
            said.put(REQUEST, "request_id", request.request_id)
        else:
            said.put(REQUEST, "request_id", clean(request.request_id))


@guarded("context")
def _sent_request_id(request: Request, inbound: Inbound) -> str | None:
    name = inbound.request_id_header
    return headers.read_one(request, name, inbound) if name is not None else None


@guarded("context")
def _called(route: Callable[[], str | None]) -> str | None:
    return route()


def _name(value: object) -> str | None:
    return clean_name(value) if isinstance(value, str) and value else None
