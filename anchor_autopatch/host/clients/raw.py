"""The way in for every HTTP client: is this send of any interest at all.

Inside an open SDK call it is only counted. Outside, one look-up of the host decides; the rest of
this layer (`exchange`, and with it sqlite3) is imported at the first call to a provider, so that a
program that merely uses `requests` pays nothing for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture.identity import ObjectMemo
from anchor_autopatch.host.capture.layers import active, leave_context, open_layer
from anchor_autopatch.host.dependencies import watching
from anchor_autopatch.host.dependencies.http import HTTPLibrary
from anchor_autopatch.host.patching import guarded, off

if TYPE_CHECKING:
    from anchor_autopatch.host.capture.calls import Call
    from anchor_autopatch.host.clients.exchange import Exchange

_ROUTE_LIMIT = 4_096

counting: ContextVar[Call | None] = ContextVar("anchor_counting", default=None)
"""The call whose current send has been counted: a client below another one adds nothing."""

Place = str | bytes | tuple[str, int | None]
"""host[:port], or host and port apart (None: the scheme's own), as a library has it at hand."""

_routes: dict[Place, bool] = {}
"""Whether it is a provider's."""

_GATEWAYS = frozenset(("litellm",))
"""SDKs that speak plain HTTP to many providers, whose own words are read here."""

_TELL_TRIES = frozenset(("anthropic", "groq", "openai"))
"""SDKs that tell of each try by themselves (`attempts.before_retry`): nobody asks for a count of
their sends but a layer above."""


class Request(NamedTuple):
    """What a client is about to send, as far as a receipt depends on it."""

    method: str
    url: str
    headers: Mapping[str, Any]
    """Case-insensitive."""
    body: Any = None
    """bytes, text, or what will be sent as JSON; None when it cannot be seen without reading it."""
    model: str | None = None
    """From a form, where the body is one."""
    decoded: bool = False
    """True when the library undoes the Content-Encoding before the bytes can be seen."""


class Client(Protocol):
    """What one library tells `wrap` about its choke point."""

    name: str
    attempts_of: frozenset[str]
    """Clients whose own calls come through here once for each attempt."""
    attempts_below: bool
    """True when another client below this one counts the attempts."""
    status: str
    """Name of the attribute of a response that holds its HTTP status."""

    def netloc(self, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any], /) -> Place:
        """Where this goes to; the only thing asked of every unrelated send."""
        ...

    def request(self, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any], /) -> Request:
        """The request; asked only for hosts that are provider hosts."""
        ...

    def answered(self, exchange: Exchange, response: Any) -> None:
        """Reads the body where the library has put it, or arranges for it to be watched."""
        ...


class Scope(Protocol):
    """What lasts as long as the library's function runs."""

    def enter(self) -> None:
        """Sets the context variables.

        Apart from `begin`, so that a fault there leaves no call open that nobody ends.
        """
        ...

    def answered(self, response: Any, /) -> object:
        """Takes the library's result."""
        ...

    def failed(self, error: BaseException, /) -> object:
        """Takes what the library raised instead."""
        ...

    def leave(self) -> None:
        """Puts the context variables back."""


class _Counted:
    """A send inside an open call that has been counted on it."""

    __slots__ = ("_layer", "_token")

    def __init__(self, layer: Call) -> None:
        self._layer = layer
        self._token: Token[Call | None] | None = None
        outer: Call | None = layer
        while outer is not None:
            outer.sends += 1
            outer = outer.parent
        if layer.lost is not None:
            from anchor_autopatch.host.capture import attempts

            attempts.sent_again(layer)

    def enter(self) -> None:
        self._token = counting.set(self._layer)

    def answered(self, _response: Any) -> None:
        return

    def failed(self, error: BaseException) -> None:
        if self._layer.target in _GATEWAYS:
            # What it sends beside calls (which model is it?) is no try of theirs.
            return
        _lost(self._layer, error)

    def leave(self) -> None:
        if self._token is not None:
            leave_context(self._token, counting)


class _Misread:
    """A send whose request could not be read: our fault only where the library can send it."""

    __slots__ = ("_fault", "_name")

    def __init__(self, name: str, fault: Exception) -> None:
        self._name = name
        self._fault = fault

    def enter(self) -> None:
        return

    def answered(self, _response: Any) -> None:
        _count(self._name, self._fault)

    def failed(self, _error: BaseException) -> None:
        return

    def leave(self) -> None:
        return


@guarded("raw")
def _count(name: str, fault: Exception) -> None:
    patching.note_fault(name, "opened", fault)


@guarded()
def _lost(call: Call, error: BaseException) -> None:
    from anchor_autopatch.host.capture import attempts

    attempts.lost(call, error)


def begin(
    client: Client, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Scope | None:
    """The scope of a send that matters; None for all others."""
    if client.name in off:
        return None
    layer = open_layer()
    if layer is not None:
        if counting.get() is not layer:
            below = _read_below(client, layer, owner, args, kwargs)
            return below or _Counted(layer)
        if layer.target in client.attempts_of:
            layer.sends += 1
        return None
    netloc = client.netloc(owner, args, kwargs)
    to_provider = _routes.get(netloc)
    if to_provider is None:
        to_provider = _learn(netloc)
    if not to_provider:
        return None
    from anchor_autopatch.host.clients import exchange

    return exchange.begin(client, client.request(owner, args, kwargs))


def _read_below(
    client: Client, layer: Call, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Scope | None:
    """The scope of a provider call that an SDK of many providers sends; None for all others."""
    if layer.target not in _GATEWAYS:
        return None
    from anchor_autopatch.host.clients import exchange

    return exchange.begin(client, client.request(owner, args, kwargs), layer)


class _OpenBodies(ObjectMemo["Exchange"]):
    """Exchanges whose body is still to be read, by the object that it is read from."""

    def died(self, value: Exchange) -> None:
        value.left()


open_bodies = _OpenBodies()


def left(source: object) -> None:
    """Ends the call whose body was to be read from here; for `close` and the like."""
    exchange = open_bodies.get(source)
    if exchange is not None and not exchange.busy:
        open_bodies.pop(source)
        exchange.left()


def netloc_of(url: str) -> str:
    """host[:port] of an absolute URL; "" for a relative one."""
    parts = url.split("/", 3)
    return parts[2] if len(parts) > 2 else ""  # noqa: PLR2004 - scheme:, nothing, authority


def forget() -> None:
    """Looks every host up anew; for tests."""
    _routes.clear()


def _authority(place: Place) -> str:
    if isinstance(place, bytes):
        return place.decode("ascii", "replace")
    if isinstance(place, str):
        return place
    host, port = place
    host = f"[{host}]" if ":" in host else host
    return host if port is None else f"{host}:{port}"


def _learn(netloc: Place) -> bool:
    from anchor_autopatch.host.capture.sites import host_of, provider_at

    authority = _authority(netloc)
    host = host_of(authority) or ""
    found = bool(host) and provider_at(host) is not None
    if len(_routes) >= _ROUTE_LIMIT:
        _routes.clear()
    # An authority with credentials in it is not kept.
    if "@" not in authority:
        _routes[netloc] = found
    return found


def wrap(client: Client) -> Callable[[Any], Any]:
    """Makes a plain synchronous function around the one that sends."""
    opened = _opening(client)
    library, status, failures = HTTPLibrary(client), client.status, watching.FAILED_STATUSES

    def make(original: Any) -> Any:
        @wraps(original)
        def send(self: Any, *args: Any, **kwargs: Any) -> Any:
            scope = opened(self, args, kwargs)
            if scope is None:
                handling = id(sys.exception())
                try:
                    response = original(self, *args, **kwargs)
                except Exception as error:
                    watching.failed(library, error, handling, self, args, kwargs)
                    raise
                if getattr(response, status, None) in failures:
                    library.answered(response, self, args, kwargs)
                return response
            scope.enter()
            try:
                response = original(self, *args, **kwargs)
            except BaseException as error:
                scope.failed(error)
                raise
            finally:
                scope.leave()
            scope.answered(response)
            return response

        return send

    return make


def wrap_async(client: Client) -> Callable[[Any], Any]:
    """Makes a plain coroutine function around the one that sends."""
    opened = _opening(client)
    library, status, failures = HTTPLibrary(client), client.status, watching.FAILED_STATUSES

    def make(original: Any) -> Any:
        @wraps(original)
        async def send(self: Any, *args: Any, **kwargs: Any) -> Any:
            scope = opened(self, args, kwargs)
            if scope is None:
                handling = id(sys.exception())
                try:
                    response = await original(self, *args, **kwargs)
                except Exception as error:
                    watching.failed(library, error, handling, self, args, kwargs)
                    raise
                if getattr(response, status, None) in failures:
                    library.answered(response, self, args, kwargs)
                return response
            scope.enter()
            try:
                response = await original(self, *args, **kwargs)
            except BaseException as error:
                scope.failed(error)
                raise
            finally:
                scope.leave()
            scope.answered(response)
            return response

        return send

    return make


def _opening(client: Client) -> Callable[..., Scope | None]:
    netloc, begun = client.netloc, guarded(client.name)(begin)

    # Every send of the process passes here: its guard is its own, for one function less.
    def opened(owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Scope | None:
        try:
            # What nearly every send comes to: no call is open, the host is none of ours, or a call
            # that needs no count (3 us less than counting it).
            layer = active.get()
            if layer is None:
                if _routes.get(netloc(owner, args, kwargs)) is False:
                    return None
            elif layer.parent is None and layer.target in _TELL_TRIES and not layer.ended:
                return None
        except Exception as fault:  # noqa: BLE001 - whose it is, is known and told when the library has tried
            return _Misread(client.name, fault)
        return begun(client, owner, args, kwargs)

    return opened
