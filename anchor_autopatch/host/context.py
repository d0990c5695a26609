"""Who causes the calls made here: bound in code, else the environment; resolved when a call begins.

The bound part is one immutable value in a context variable, so that concurrent tasks and threads
cannot change each other's; a nested `attribute` adds to the outer one and takes back only what it
set.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, TypeVar

from anchor_autopatch.core.records import Attribution
from anchor_autopatch.core.scrub import scrub_name
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.request_context import bound as _bound
from anchor_autopatch.host.request_context import inbound as _inbound

_VALUE_LIMIT = 256
_LABEL_LIMIT = 64
_ENVIRONMENT = {
    "team": "ANCHOR_TEAM",
    "service": "ANCHOR_SERVICE",
    "feature": "ANCHOR_FEATURE",
    "environment": "ANCHOR_ENVIRONMENT",
    "region": "ANCHOR_REGION",
    "cost_center": "ANCHOR_COST_CENTER",
}
# OpenTelemetry resource attributes, semantic conventions 1.37 (read 2026-11); `team` is ours.
_RESOURCE_ATTRIBUTES = {
    "service.name": "service",
    "deployment.environment.name": "environment",
    "deployment.environment": "environment",
    "cloud.region": "region",
    "team": "team",
}

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Fields = dict[str, str]


class _Bound:
    """Fields and labels set in code, over those of the surrounding binding; never changed."""

    __slots__ = ("_resolved", "fields", "labels", "outer", "owner")

    def __init__(self, outer: _Bound | None, owner: attribute) -> None:
        self.outer = outer
        self.owner = owner
        self.fields: _Fields = {**outer.fields, **owner._fields} if outer else owner._fields
        self.labels: _Fields = {**outer.labels, **owner._labels} if outer else owner._labels
        self._resolved: Attribution | None = None

    def resolved(self) -> Attribution:
        """Merged over the environment; worked out once, at the first call made under it."""
        if self._resolved is None:
            self._resolved = _merge(self.fields, self.labels)
        return self._resolved


_from_environment: tuple[_Fields, dict[str, str], _Fields] | None = None
_default: Attribution | None = None


class attribute:  # noqa: N801 - reads as a verb: `with attribute(team="search"):`
    """Binds who causes the provider calls made inside.

    A context manager and a decorator, sync and async.

    Fields that are not given keep the value of the surrounding `attribute`, header, rule or
    environment.

    Args:
        team: Who pays.
        service: The application or component.
        feature: What the call is for.
        environment: production, staging, ...
        user_id: The end user, as your policy allows it to be named.
        request_id: The request or job that the call belongs to.
        labels: Further names and values, stored as a JSON object.
    """

    __slots__ = ("_fields", "_labels")

    def __init__(
        self,
        team: str | None = None,
        service: str | None = None,
        feature: str | None = None,
        environment: str | None = None,
        user_id: str | None = None,
        request_id: str | None = None,
        **labels: object,
    ) -> None:
        given = {
            "team": team,
            "service": service,
            "feature": feature,
            "environment": environment,
            "user_id": user_id,
            "request_id": request_id,
        }
        self._fields = _clean_items(given)
        self._labels = _clean_labels(labels)

    def __enter__(self) -> attribute:
        _bound.set(_Bound(_bound.get(), self))
        return self

    def __exit__(self, *_exception: object) -> None:
        # No token of the context variable: one object may be entered by many tasks and threads at
        # once, and left in another order (a generator moved between tasks) than it was entered in.
        _bound.set(_without(_bound.get(), self))

    async def __aenter__(self) -> attribute:
        return self.__enter__()

    async def __aexit__(self, *exception: object) -> None:
        self.__exit__(*exception)

    def __call__(self, function: _Function) -> _Function:
        """Binds for every run of the decorated function; each run has its own binding."""
        if isgeneratorfunction(function) or isasyncgenfunction(function):
            return self._around_steps(function)
        if iscoroutinefunction(function):

            @wraps(function)
            async def run_async(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await function(*args, **kwargs)

            return run_async  # type: ignore[return-value]  # same signature by wraps

        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return run  # type: ignore[return-value]  # same signature by wraps

    def _around_steps(self, function: _Function) -> _Function:
        from anchor_autopatch.host import steps

        bound: Any = steps.bound if isgeneratorfunction(function) else steps.bound_async

        @wraps(function)
        def run_steps(*args: Any, **kwargs: Any) -> Any:
            return bound(function(*args, **kwargs), self)

        return run_steps  # type: ignore[return-value]  # same signature by wraps


def _without(top: _Bound | None, owner: attribute) -> _Bound | None:
    """The bindings without the innermost one of `owner`; as they are when it has none here."""
    above: list[attribute] = []
    layer = top
    while layer is not None and layer.owner is not owner:
        above.append(layer.owner)
        layer = layer.outer
    if layer is None:
        return top
    rest = layer.outer
    for upper in reversed(above):
        rest = _Bound(rest, upper)
    return rest


def current() -> Attribution:
    """The attribution that a call made here and now would carry, without its call site."""
    bound: _Bound | None = _bound.get()
    return bound.resolved() if bound is not None else _environment_default()


def is_bound() -> bool:
    """True where somebody has bound an attribution, in code or by a framework."""
    return _bound.get() is not None or _inbound.get() is not None


_CARRIED = (
    "team", "service", "feature", "environment", "cost_center", "user_id", "request_id",
    "trace_id", "labels",
)  # fmt: skip
"""What a task keeps of who submitted it; region and call site are those of the worker."""


def carried() -> dict[str, str]:
    """Who a task that is submitted here is for, to be sent with it: `Request(carried=...)`.

    Plain texts by field name; labels as a JSON object. Never raises.
    """
    who = current()
    found = {name: getattr(who, name) for name in _CARRIED}
    return {name: value for name, value in found.items() if value is not None}


def forget_environment() -> None:
    """Reads the environment variables anew at the next call.

    For tests and for programs that set them late.
    """
    global _from_environment, _default
    _from_environment = None
    _default = None


def _environment_default() -> Attribution:
    global _default
    if _default is None:
        _default = _merge({}, {})
    return _default


def _merge(fields: _Fields, labels: _Fields) -> Attribution:
    values, sources, base_labels = _environment()
    sources = {**sources, **dict.fromkeys(fields, "code")}
    merged_labels = {**base_labels, **labels}
    if merged_labels:
        sources["labels"] = "code" if labels else "environment"
    return Attribution(
        **{**values, **fields},
        labels=_json(merged_labels) if merged_labels else None,
        attribution_source=_json(sources) if sources else None,
    )


def _environment() -> tuple[_Fields, dict[str, str], _Fields]:
    global _from_environment
    if _from_environment is None:
        _from_environment = _read_environment()
    return _from_environment


def _read_environment() -> tuple[_Fields, dict[str, str], _Fields]:
    values: _Fields = {}
    sources: dict[str, str] = {}
    for name, value in _otel_fields().items():
        values[name], sources[name] = value, "otel"
    for name, variable in _ENVIRONMENT.items():
        if os.environ.get(variable):
            values[name], sources[name] = _clean(os.environ[variable]), "environment"
    return values, sources, _clean_labels(_pairs(os.environ.get("ANCHOR_LABELS", "")))


def _otel_fields() -> _Fields:
    attributes = _pairs(os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    if os.environ.get("OTEL_SERVICE_NAME"):
        attributes["service.name"] = os.environ["OTEL_SERVICE_NAME"]
    fields: _Fields = {}
    for key, name in _RESOURCE_ATTRIBUTES.items():
        if attributes.get(key):
            fields.setdefault(name, _clean(attributes[key]))
    return fields


def _pairs(text: str) -> dict[str, str]:
    """`k=v,k=v` as a dict.

    Entries without `=` are left out (they are reported by `anchor policy check`).
    """
    entries = (part.partition("=") for part in text.split(","))
    return {key.strip(): value.strip() for key, found, value in entries if found and key.strip()}


def _clean_labels(labels: dict[str, Any]) -> _Fields:
    return _clean_items(dict(list(labels.items())[:_LABEL_LIMIT]))


def _clean_items(items: dict[str, Any]) -> _Fields:
    """The values as clean texts; without those that are None or cannot be printed."""
    texts = {key: _text(value) for key, value in items.items() if value is not None}
    return {_clean(key): _clean(value) for key, value in texts.items() if value is not None}


@guarded("attribute")
def _text(value: object) -> str:
    return str(value)


def _clean(value: str) -> str:
    return scrub_name(value, _VALUE_LIMIT)


def _json(value: dict[str, str]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
