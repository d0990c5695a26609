"""Who causes the calls made here: bound in code, over what the request, rules and environment say.

The bound part is one immutable value in a context variable, so that concurrent tasks and threads
cannot change each other's; a nested `attribute` adds to the outer one and takes back only what it
set.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import TYPE_CHECKING, Any, TypeVar

from anchor_autopatch.core.records import Attribution
from anchor_autopatch.host.attribution import resolving
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.request_context import bound as _bound
from anchor_autopatch.host.request_context import inbound as _inbound

if TYPE_CHECKING:
    from anchor_autopatch.host.attribution.inbound import Facts
    from anchor_autopatch.host.attribution.resolving import Base

_CARRIED = (
    "team", "service", "feature", "environment", "cost_center", "user_id", "request_id",
    "trace_id", "labels",
)  # fmt: skip
"""What a task keeps of who submitted it; region and call site are those of the worker."""

_NAME = "attribute"

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Fields = dict[str, str]


class Binding:
    """Fields and labels set in code, over those of the surrounding binding; never changed."""

    __slots__ = ("base", "fields", "labels", "outer", "owner")

    def __init__(self, outer: Binding | None, owner: attribute) -> None:
        self.outer = outer
        self.owner = owner
        self.fields: _Fields = {**outer.fields, **owner._fields} if outer else owner._fields
        self.labels: _Fields = {**outer.labels, **owner._labels} if outer else owner._labels
        self.base: tuple[Facts | None, Base] | None = None
        """What `resolving` made of it, at the first call made under it, and of which request."""


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
        /,
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
        self._fields = _clean_items(given) or {}
        self._labels = _clean_labels(labels) or {}

    def __enter__(self) -> attribute:
        _bind(self)
        return self

    def __exit__(self, *_exception: object) -> None:
        _unbind(self)

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
        from anchor_autopatch.host.capture import steps

        bound: Any = steps.bound if isgeneratorfunction(function) else steps.bound_async

        @wraps(function)
        def run_steps(*args: Any, **kwargs: Any) -> Any:
            return bound(function(*args, **kwargs), self)

        return run_steps  # type: ignore[return-value]  # same signature by wraps


@guarded(_NAME)
def _bind(owner: attribute) -> None:
    _bound.set(Binding(_bound.get(), owner))


@guarded(_NAME)
def _unbind(owner: attribute) -> None:
    # No token of the context variable: one object may be entered by many tasks and threads at
    # once, and left in another order (a generator moved between tasks) than it was entered in.
    _bound.set(_without(_bound.get(), owner))


def _without(top: Binding | None, owner: attribute) -> Binding | None:
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
        rest = Binding(rest, upper)
    return rest


def current() -> Attribution:
    """The attribution that a call made here and now would carry, without its call site."""
    return _without_call() or Attribution()


def is_bound() -> bool:
    """True where somebody has bound an attribution, in code or by a framework."""
    return _bound.get() is not None or _inbound.get() is not None


def carried() -> dict[str, str]:
    """Who a task that is submitted here is for, to be sent with it: `Request(carried=...)`.

    Plain texts by field name; labels as a JSON object. Never raises.
    """
    who = current()
    found = {name: getattr(who, name) for name in _CARRIED}
    # The route that submits a task is not what the task is for: it has a name of its own.
    if resolving.source_of(who, "feature") in ("route", "task"):
        del found["feature"]
    return {name: value for name, value in found.items() if value is not None}


def forget_environment() -> None:
    """Reads the environment variables and `anchor.toml` anew at the next call.

    For tests and for programs that set them late.
    """
    resolving.forget()


_without_call = guarded(_NAME)(resolving.without_call)


@guarded(_NAME)
def _clean_labels(labels: dict[str, Any]) -> _Fields:
    return _clean(dict(list(labels.items())[: resolving.LABEL_LIMIT]))


@guarded(_NAME)
def _clean_items(items: dict[str, Any]) -> _Fields:
    return _clean(items)


def _clean(items: dict[str, Any]) -> _Fields:
    """The values as clean texts; without those that are None or cannot be printed."""
    texts = {key: _text(value) for key, value in items.items() if value is not None}
    clean = resolving.clean
    return {clean(key): clean(value) for key, value in texts.items() if value is not None}


@guarded(_NAME)
def _text(value: object) -> str:
    return str(value)
