"""What servers and frameworks share: one open request, whoever of them sees it first.

A server opens it, the framework that the server calls finds it open and adds what only a framework
knows: the route template, the session, the user. Without a server that is known here, the framework
opens it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.request_context import Request, bound, inbound


class Served(Request):
    """A request of the web; leaves the context as it met it, whatever the application left there.

    A worker thread serves one request after the other in one context: an `attribute` that was
    entered and never left must not reach the next user's request.
    """

    __slots__ = ("_before", "prefix")

    def __init__(self, **facts: Any) -> None:
        super().__init__("http", **facts)
        self.prefix = ""
        """Route template of the mounts that were passed on the way to the route."""
        self._before: Any = None

    def __enter__(self) -> Served:
        if inbound.get() is not self:
            self._before = bound.get()
        super().__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        if inbound.get() is self and bound.get() is not self._before:
            bound.set(self._before)
        super().__exit__(*exception)


def matched(route: str | None, lookup: Callable[[str, str], object] | None) -> None:
    """Tells the open request of the web what its framework has found out: the route, the user."""
    request = inbound.get()
    if isinstance(request, Served):
        if route is not None:
            request.route = request.prefix + route
        if lookup is not None:
            request.lookup = lookup
        # A call from a middleware may have been answered for without this.
        request.resolved = None


def forget_former() -> None:
    """For servers whose requests cannot be nested: what is open here is a former request's.

    A server that starts the next request of a connection from within the answer to the last one
    (pipelining) starts it in that one's context.
    """
    former = inbound.get()
    if former is not None:
        bound.set(former._before if isinstance(former, Served) else None)
        inbound.set(None)


def is_open(method: str | None, path: str | None) -> bool:
    """True when a server or an outer framework has opened this very request."""
    request = inbound.get()
    return request is not None and request.path == path and request.method == method


def opening(target: str, find: Callable[..., Request | None]) -> Callable[..., Request | None]:
    """`find` guarded, and switched off together with its target."""
    found = patching.guarded(target)(find)

    def opened(*args: Any) -> Request | None:
        return None if target in patching.off else found(*args)

    return opened


def joined(values: Iterable[str]) -> str | None:
    """The values of one header as one text (RFC 9110, section 5.3); None when there are none."""
    return ",".join(values) or None


def without_query(target: str) -> str:
    """A request target without what follows its path."""
    return target.partition("?")[0]


def peer(address: object) -> str | None:
    """The host of a socket's address; `unix` for a socket that is a file."""
    if isinstance(address, (tuple, list)) and address:
        return str(address[0])
    return "unix" if isinstance(address, (str, bytes)) else None


def dig(value: Any, path: str) -> Any:
    """What a dotted name leads to, by keys of mappings and attributes of objects; None if nowhere.

    Sessions of Flask and Starlette note that they were read and make the answer vary by cookie:
    their own `get` is passed over.
    """
    for name in path.split("."):
        if value is None:
            return None
        if isinstance(value, dict):
            value = dict.get(value, name)
        elif isinstance(value, Mapping):
            value = value.get(name)
        else:
            value = getattr(value, name, None)
    return value


def argument(function: Any, args: Any, kwargs: Mapping[str, Any], path: str) -> Any:
    """The value that a task's function is given for a parameter; dotted names go into it."""
    name, _, rest = path.partition(".")
    value = kwargs.get(name)
    if value is None:
        code = getattr(function, "__code__", None)
        names: tuple[str, ...] = code.co_varnames[: code.co_argcount] if code is not None else ()
        # A bound method is given its object besides.
        names = names[1:] if getattr(function, "__self__", None) is not None else names
        value = dict(zip(names, args, strict=False)).get(name)
    return dig(value, rest) if rest else value
