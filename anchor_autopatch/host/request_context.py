"""The request or task that the application is at work on: facts, handed over by a framework.

A framework's integration only says where each fact can be found; nothing is read, checked or
decided until a provider call is made under the request, and for most requests none is:

    with Request(method="POST", path=path, route=find_route, header=headers.get, peer=address):
        return application(...)

Both context variables of the attribution live here, so that an integration and an executor import
this one small module and nothing else.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

inbound: ContextVar[Request | None] = ContextVar("anchor_inbound", default=None)
"""The request or task that is open here, set by `with Request(...)`."""

bound: ContextVar[Any] = ContextVar("anchor_attribution", default=None)
"""What `attribute` has bound here; its value is `context`'s own."""


class Request:
    """One request or task; a context manager that may be entered again, for every step of a stream.

    Every callable is called in the application's own context, at most when a provider call is
    made, perhaps several times, perhaps after the response was sent (a background task). What it
    raises is caught and counted. It must hold no more than it needs: the request lives as long as
    the last task that it started.

    Args:
        kind: `http` or `task`.
        method: GET, POST, ...; None for a task.
        path: The path as received, without its query; what a header signature is bound to.
        route: The route template (`/users/{id}`), or a function that gives it, or None as long as
            the framework has not matched it. Never the raw path.
        header: Lower-case header name -> its value as text, None when absent; values of a header
            that came twice joined by a comma. For a task: None.
        peer: Address of who connected (`10.1.2.3`, `::1`), `unix` for a Unix socket, None when
            unknown.
        task: Name of the task or job function; None for a request.
        request_id: The framework's own id of the request or task (a Celery task id), never one
            that a client sent; None where it has none: then one is made when it is needed.
        lookup: (place, name) -> a value of the application's own, for the policy's `user_id`:
            places are `session`, `user`, `state`, `environ`, `task`; None when there is none.
        carried: What `context.carried()` gave where the task was submitted.
    """

    __slots__ = (
        "_made_ids",
        "carried",
        "header",
        "kind",
        "lookup",
        "method",
        "outer",
        "path",
        "peer",
        "request_id",
        "resolved",
        "route",
        "task",
    )

    def __init__(  # noqa: PLR0913 - facts by name, of which each framework has some
        self,
        kind: str = "http",
        *,
        method: str | None = None,
        path: str | None = None,
        route: str | Callable[[], str | None] | None = None,
        header: Callable[[str], str | None] | None = None,
        peer: str | None = None,
        task: str | None = None,
        request_id: str | None = None,
        lookup: Callable[[str, str], object] | None = None,
        carried: Mapping[str, str] | None = None,
    ) -> None:
        self.kind = kind
        self.method = method
        self.path = path
        self.route = route
        self.header = header
        self.peer = peer
        self.task = task
        self.request_id = request_id
        self._made_ids: list[str] = []
        self.lookup = lookup
        self.carried = carried
        self.outer: Request | None = None
        self.resolved: Any = None
        """What `context` worked out of these facts, at the first call that needed it."""

    def __enter__(self) -> Request:
        outer = inbound.get()
        if outer is not self:
            self.outer = outer
            inbound.set(self)
        return self

    def __exit__(self, *_exception: object) -> None:
        # No token: a stream's steps may run in other contexts than the one that it was opened in.
        # There the request is not the open one, and nothing is to be put back.
        if inbound.get() is self:
            inbound.set(self.outer)

    def made_id(self, new: str) -> str:
        """The id that was made for want of one: this, or the one of the thread that came first.

        Several threads of one request may make their first calls at once; appending is atomic.
        """
        self._made_ids.append(new)
        return self._made_ids[0]

    def enter(self) -> Request:
        """`__enter__`, for code that cannot use `with`; to be followed by `leave`."""
        return self.__enter__()

    def leave(self) -> None:
        """Puts back the request that was open before."""
        self.__exit__()


def current_request() -> Request | None:
    """The request or task that is open here; for an inner layer that knows more of the same one."""
    return inbound.get()


def snapshot() -> Snapshot | None:
    """Who the work is for here and now, to be restored in another thread; None when nobody said."""
    request, binding = inbound.get(), bound.get()
    if request is None and binding is None:
        return None
    return Snapshot(request, binding)


class Snapshot:
    """A context manager that puts a taken state in force, and puts back what was in force.

    Entered by one thread at a time; submit another snapshot for another piece of work.
    """

    __slots__ = ("_before", "binding", "request")

    def __init__(self, request: Request | None, binding: Any) -> None:
        self.request = request
        self.binding = binding
        self._before: tuple[Request | None, Any] = (None, None)

    def __enter__(self) -> Snapshot:
        self._before = (inbound.get(), bound.get())
        inbound.set(self.request)
        bound.set(self.binding)
        return self

    def __exit__(self, *_exception: object) -> None:
        inbound.set(self._before[0])
        bound.set(self._before[1])
