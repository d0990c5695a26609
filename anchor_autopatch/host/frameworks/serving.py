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

Pending = tuple[Callable[..., object], Any, Any]
"""What tells a request who its framework has found it is for, and what it is given besides."""


class Served(Request):
    """A request of the web, whose facts are read from what the server gave, when they are asked.

    Most requests make no provider call, so one of these has to cost next to nothing: what a Request
    is given by its maker is found here by a subclass, from `source`.

    Leaves the context as it met it, whatever the application left there: a worker thread serves one
    request after the other in one context, and an `attribute` that was entered and never left must
    not reach the next user's request.
    """

    # In the place of the attributes that a Request is given; what most requests keep as it is is
    # the class's, so that a request need not set it.
    kind: Any = "http"
    task: Any = None
    carried: Any = None
    request_id: str | None = None
    outer: Request | None = None
    resolved: Any = None
    method: Any = property(lambda request: request.find_method())
    path: Any = property(lambda request: request.find_path())
    route: Any = property(lambda request: request.find_route())
    prefix = ""
    """Route template of the mounts that were passed on the way to the route."""
    template: Any = None
    """The route as far as it has been told, or a function that gives it."""
    found: Callable[[str, str], object] | None = None
    """The look-up of the framework that has taken the request over."""
    pending: Pending | None = None
    """What the framework has left to be told, to be asked for when a provider call is made."""
    finished: type | None = None
    """The type of an answer of which nothing is still to be made; None = not known."""
    headers: Any = None
    """Headers by name, for a source that has to be searched for them."""
    before: Any = None
    """What `attribute` had bound when the request was opened."""

    def __init__(self, source: Any, peer: str | None) -> None:
        self.source = source
        # Read at once: middleware may put a header's address in its place.
        self.peer = peer

    def find_route(self) -> Any:
        """The route template, or a function that gives it; None as long as none is matched."""
        self.settle()
        return self.template

    def settle(self) -> None:
        """Lets the framework tell what it has left to be told."""
        pending = self.pending
        if pending is not None:
            tell, *facts = pending
            tell(self, *facts)
            # At the end: another thread of the request that asks meanwhile is told once more.
            self.pending = None

    def find_method(self) -> str | None:
        """GET, POST, ...; None for a WebSocket."""
        raise NotImplementedError

    def find_path(self) -> str:
        """The path as received, without its query."""
        raise NotImplementedError

    def header(self, name: str) -> str | None:
        """The value of a header; see Request."""
        raise NotImplementedError

    def lookup(self, place: str, name: str) -> object:
        """A value of the application's own; see Request."""
        self.settle()
        return self.found(place, name) if self.found is not None else self.look(place, name)

    def look(self, _place: str, _name: str) -> object:
        """What can be looked up without a framework."""
        return None

    def matched(self, route: str | None, found: Callable[[str, str], object] | None = None) -> None:
        """Takes what the framework has found out: the route, the user."""
        if route is not None:
            self.template = self.prefix + route
        if found is not None:
            self.found = found
        # A call from a middleware may have been answered for without this.
        self.resolved = None

    def made_id(self, new: str) -> str:
        """As in Request; `setdefault` is atomic as well."""
        made: str = vars(self).setdefault("_made_id", new)
        return made

    def __enter__(self) -> Served:
        self.enter()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.leave()

    def enter(self) -> Request:
        """Opens the request here; to be followed by `leave`."""
        outer = inbound.get()
        if outer is not self:
            self.outer = outer
            self.before = bound.get()
            inbound.set(self)
        return self

    def leave(self) -> None:
        """Puts back what was in force before."""
        if inbound.get() is self:
            inbound.set(self.outer)
            if bound.get() is not self.before:
                bound.set(self.before)


def matched(route: str) -> None:
    """Tells the open request of the web the route that its framework has found."""
    request = inbound.get()
    if isinstance(request, Served):
        request.settle()
        request.matched(route)


def forget_former() -> None:
    """For servers whose requests cannot be nested: what is open here is a former request's.

    A server that starts the next request of a connection from within the answer to the last one
    (pipelining) starts it in that one's context.
    """
    former = inbound.get()
    if former is not None:
        bound.set(former.before if isinstance(former, Served) else None)
        inbound.set(None)


def entered(request: Served) -> Served | None:
    """The request, which is open from here on; None when an outer layer has opened it already.

    Which may be a server or another framework. To be followed by `leave`: no `with`, whose look for
    two methods, and the arguments of one of them, cost as much as two functions.
    """
    outer = inbound.get()
    if outer is not None and outer.path == request.path and outer.method == request.method:
        return None
    request.outer = outer
    request.before = bound.get()
    inbound.set(request)
    return request


def opening(target: str, find: Callable[..., Request | None]) -> Callable[..., Request | None]:
    """`find` guarded, and switched off together with its target."""

    def opened(*args: Any) -> Request | None:
        return None if target in patching.off else find(*args)

    return patching.guarded(target)(opened)


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
