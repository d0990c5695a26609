"""httpx: `Client.send` and `AsyncClient.send`, below every way to make a request.

A stream is watched where `Response` iterates it, on the class that binds the transport's stream to
its response: the response and its stream stay the library's own objects.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial, wraps
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from anchor_autopatch.host import configuration, patching
from anchor_autopatch.host.clients import gateways, raw
from anchor_autopatch.host.dependencies import watching
from anchor_autopatch.host.dependencies.http import HTTPLibrary, address_of

if TYPE_CHECKING:
    from anchor_autopatch.host.clients.exchange import Exchange


def version() -> str | None:
    """The imported library's version."""
    return getattr(sys.modules.get("httpx.__version__"), "__version__", None)


def patch(client: ModuleType) -> None:
    """Wraps what sends and what streams; `client` is `httpx._client`."""
    patch_family(client, "httpx")


def patch_family(client: ModuleType, name: str) -> None:
    """The same for httpx and httpx2, which share their shape."""
    ours = _Client(name, client)
    patching.expect(client.BoundSyncStream, *_STREAM_HOOKS["BoundSyncStream"])
    patching.expect(client.BoundAsyncStream, *_STREAM_HOOKS["BoundAsyncStream"])
    patching.replace(client.Client, "send", raw.wrap(ours))
    patching.replace(client.AsyncClient, "send", raw.wrap_async(ours))
    _watch_errors(ours)
    configuration.when_gateways_are_named(name, partial(_watch_hops, client))


def _watch_errors(client: _Client) -> None:
    """Hooks where an error is told its request, which is done for bodies too that are read later.

    Nothing passes there but errors: a body that arrives whole pays nothing.
    """
    kind = sys.modules[f"{client.name}._exceptions"].RequestError
    # Inherited from HTTPError, which is also what `raise_for_status` makes: not hooked there.
    theirs = getattr(kind, "request", None)
    if not isinstance(theirs, property) or theirs.fset is None:
        return
    library, plain = HTTPLibrary(client), theirs.fset
    answers = sys.modules[f"{client.name}._models"].Response

    @wraps(plain)
    def request(self: Any, request: Any) -> None:
        plain(self, request)
        watching.broke(
            library,
            self,
            lambda: address_of(str(request.url)),
            lambda: _answer_to(request, answers),
        )

    patching.put(kind, "request", property(theirs.fget, request, theirs.fdel, theirs.__doc__))


def _watch_hops(client: ModuleType) -> None:
    """Hooks what sends once for each redirect, below what authenticates and retries.

    Every request of the process passes there, and a policy without gateways wants none of them.
    """
    patching.replace_if_present(client.Client, "_send_single_request", gateways.wrap_hop)
    patching.replace_if_present(client.AsyncClient, "_send_single_request", gateways.wrap_hop_async)


def _answer_to(request: object, answers: type[Any]) -> object:
    """The response that is being read, by the request that it answers; None while there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        owner: Any = frame.f_locals.get("self")
        # No attribute of the application's own objects is asked for: that may run its code.
        if issubclass(type(owner), answers) and owner._request is request:
            return owner
        frame = frame.f_back
    return None


class _Client:
    """This library's side of `raw.wrap`."""

    attempts_of: frozenset[str] = frozenset()
    attempts_below = False
    status = "status_code"

    def __init__(self, name: str, module: ModuleType) -> None:
        self.name = name
        self._module = module

    def netloc(self, _owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> raw.Place:
        request = args[0] if args else kwargs["request"]
        # The parts that httpx keeps: its property makes a text of them each time, 0.7 us a send.
        parts = getattr(request.url, "_uri_reference", None)
        return (parts.host, parts.port) if parts is not None else request.url.netloc

    def request(self, _owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> raw.Request:
        request = args[0] if args else kwargs["request"]
        return raw.Request(
            request.method,
            str(request.url),
            request.headers,
            # There only when the body is in memory; a stream is not read by us.
            getattr(request, "_content", None),
            _form_model(request.stream),
        )

    def answered(self, exchange: Exchange, response: Any) -> None:
        status, headers = response.status_code, response.headers
        if hasattr(response, "_content"):
            exchange.whole(status, headers, response._content, response)
        elif exchange.headers(status, headers):
            raw.open_bodies.put(response.stream, exchange)
            self._watch_streams()

    def _watch_streams(self) -> None:
        """Hooks what iterates bodies, at the first one that is to be watched.

        Every response of the process passes there, and most processes watch none: 0.5 us less.
        """
        for name, hooks in _STREAM_HOOKS.items():
            for method, make in hooks.items():
                patching.replace(getattr(self._module, name), method, make)


def _form_model(stream: Any) -> str | None:
    for field in getattr(stream, "fields", ()):
        if getattr(field, "name", None) == "model":
            value = getattr(field, "value", None)
            return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return None


def _wrap_iter(original: Any) -> Any:
    @wraps(original)
    def __iter__(self: Any) -> Any:  # noqa: N807 - the library's own name
        chunks = original(self)
        exchange = raw.open_bodies.get(self) if raw.open_bodies.entries else None
        return chunks if exchange is None else _each(chunks, exchange, self)

    return __iter__


def _each(chunks: Any, exchange: Exchange, source: object) -> Iterator[bytes]:
    try:
        for chunk in chunks:
            exchange.feed(chunk)
            yield chunk
    except GeneratorExit:
        raw.left(source)
        raise
    except BaseException as error:
        raw.open_bodies.pop(source)
        exchange.broke(error)
        raise
    finally:
        chunks.close()
    raw.open_bodies.pop(source)
    exchange.end()


def _wrap_aiter(original: Any) -> Any:
    @wraps(original)
    def __aiter__(self: Any) -> Any:  # noqa: N807 - the library's own name
        chunks = original(self)
        exchange = raw.open_bodies.get(self) if raw.open_bodies.entries else None
        return chunks if exchange is None else _AsyncEach(chunks, exchange, self)

    return __aiter__


class _AsyncEach:
    """The library's async generator with an eye on what it gives.

    A class: a second async generator would have a finalizer of its own at loop shutdown.
    """

    def __init__(self, chunks: Any, exchange: Exchange, source: object) -> None:
        self._chunks = chunks
        self._exchange = exchange
        self._source = source

    def __aiter__(self) -> _AsyncEach:
        return self

    async def __anext__(self) -> Any:
        return await self.asend(None)

    async def asend(self, value: Any) -> Any:
        """One step."""
        return await self._step(self._chunks.asend(value))

    async def athrow(self, *error: Any) -> Any:
        """One step, with an error thrown in."""
        return await self._step(self._chunks.athrow(*error))

    async def aclose(self) -> None:
        """Closes the library's generator, as closing it directly would."""
        raw.left(self._source)
        await self._chunks.aclose()

    async def _step(self, step: Any) -> Any:
        try:
            chunk = await step
        except StopAsyncIteration:
            raw.open_bodies.pop(self._source)
            self._exchange.end()
            raise
        except BaseException as error:
            raw.open_bodies.pop(self._source)
            self._exchange.broke(error)
            raise
        self._exchange.feed(chunk)
        return chunk


def _wrap_close(original: Any) -> Any:
    @wraps(original)
    def close(self: Any) -> Any:
        # Every response of the process passes here, and few are watched: 0.3 us less.
        if raw.open_bodies.entries:
            raw.left(self)
        return original(self)

    return close


def _wrap_aclose(original: Any) -> Any:
    @wraps(original)
    async def aclose(self: Any) -> Any:
        if raw.open_bodies.entries:
            raw.left(self)
        return await original(self)

    return aclose


_STREAM_HOOKS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "BoundSyncStream": {"__iter__": _wrap_iter, "close": _wrap_close},
    "BoundAsyncStream": {"__aiter__": _wrap_aiter, "aclose": _wrap_aclose},
}
