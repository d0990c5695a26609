"""aiohttp's client: `ClientSession._request`, below every way to make a request.

The body is watched where the protocol hands it over: that needs no read of the application's, and
all of it that has arrived is seen, whichever way it is read, or not.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture.identity import ObjectMemo
from anchor_autopatch.host.clients import gateways, raw
from anchor_autopatch.host.dependencies import watching
from anchor_autopatch.host.dependencies.http import HTTPLibrary, address_of
from anchor_autopatch.host.patching import guarded

if TYPE_CHECKING:
    from anchor_autopatch.host.clients.exchange import Exchange

_open: dict[int, Exchange] = {}
"""By `id` of the StreamReader, which cannot be weakly referenced.

A finalizer of its response, which holds it, takes the entry out.
"""


class _Broken(NamedTuple):
    """A body that broke before the application read on."""

    place: str
    """host[:port]"""
    response: Callable[[], object]
    """Weak: it holds what is raised, by which it is found here."""


_broken: ObjectMemo[_Broken] = ObjectMemo()
"""By what is raised to whoever reads on."""


def version() -> str | None:
    """The imported library's version."""
    return getattr(sys.modules.get("aiohttp"), "__version__", None)


def patch(client: ModuleType) -> None:
    """Wraps what sends and what takes the body in; `client` is `aiohttp.client`."""
    patching.replace(client.ClientSession, "_request", raw.wrap_async(_Client()))
    patching.replace_if_present(client.ClientRequest, "send", _wrap_hop)
    streams = sys.modules["aiohttp.streams"]
    reader = streams.StreamReader
    patching.replace(reader, "feed_data", _wrap_feed_data)
    patching.replace(reader, "feed_eof", _wrap_feed_eof)
    patching.replace(reader, "set_exception", _wrap_set_exception)
    # Where the application reads: most bodies by one `read`. That and the iterators learn of a
    # break that came between two steps, all other ways of reading while they wait.
    patching.replace(reader, "read", _wrap_reading)
    patching.replace(reader, "_wait", _wrap_reading)
    for name in ("AsyncStreamIterator", "ChunkTupleAsyncStreamIterator"):
        patching.replace(getattr(streams, name), "__anext__", _wrap_reading)
    patching.replace(client.ClientResponse, "raise_for_status", _wrap_raising)
    patching.replace(client.ClientResponse, "close", _wrap_closing)
    patching.replace(client.ClientResponse, "release", _wrap_closing)


def _wrap_hop(original: Any) -> Any:
    @wraps(original)
    async def send(self: Any, *args: Any, **kwargs: Any) -> Any:
        # Each redirect is a request of its own here, with headers of its own.
        gateways.add(self.headers, self.url.raw_authority)
        return await original(self, *args, **kwargs)

    return send


class _Client:
    """This library's side of `raw.wrap_async`."""

    name = "aiohttp"
    attempts_of: frozenset[str] = frozenset()
    attempts_below = False
    status = "status"

    def netloc(self, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        url = args[1] if len(args) > 1 else kwargs["str_or_url"]
        return raw.netloc_of(str(url)) or raw.netloc_of(str(owner._base_url))

    def request(self, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> raw.Request:
        given = dict(zip(("method", "str_or_url"), args, strict=False)) | kwargs
        url = str(owner._build_url(given["str_or_url"]))
        params = given.get("params")
        if isinstance(params, dict) and "key" in params:
            url += f"?key={params['key']}"
        decodes = given.get("auto_decompress")
        return raw.Request(
            given["method"],
            url,
            owner._prepare_headers(given.get("headers")),
            _body(given),
            _form_model(given.get("data")),
            owner._auto_decompress if decodes is None else decodes,
        )

    def answered(self, exchange: Exchange, response: Any) -> None:
        if not exchange.headers(response.status, response.headers, decoded=exchange.decoded):
            return
        content = response.content
        # What came in one packet with the headers.
        for part in tuple(getattr(content, "_buffer", ())):
            exchange.feed(part)
        if content.exception() is not None:
            exchange.broke(content.exception())
        elif content.is_eof():
            exchange.end(response)
        else:
            raw.open_bodies.put(response, exchange)
            _open[id(content)] = exchange
            weakref.finalize(response, _open.pop, id(content), None).atexit = False


_LIBRARY = HTTPLibrary(_Client())


def _body(given: dict[str, Any]) -> Any:
    body = given.get("data") if given.get("json") is None else given["json"]
    return body if isinstance(body, (bytes, bytearray, str, dict)) else None


def _form_model(data: Any) -> str | None:
    for options, _headers, value in getattr(data, "_fields", ()):
        if options.get("name") == "model" and isinstance(value, str):
            return value
    return None


def _wrap_feed_data(original: Any) -> Any:
    @wraps(original)
    def feed_data(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _open:
            exchange = _open.get(id(self))
            if exchange is not None:
                exchange.feed(args[0] if args else kwargs["data"])
        return original(self, *args, **kwargs)

    return feed_data


def _wrap_feed_eof(original: Any) -> Any:
    @wraps(original)
    def feed_eof(self: Any) -> Any:
        result = original(self)
        exchange = _open.pop(id(self), None) if _open else None
        if exchange is not None:
            exchange.end()
        return result

    return feed_eof


def _wrap_set_exception(original: Any) -> Any:
    @wraps(original)
    def set_exception(self: Any, exc: Any, *args: Any, **kwargs: Any) -> Any:
        exchange = _open.pop(id(self), None) if _open else None
        if exchange is not None:
            exchange.broke(exc)
        _note_break(self, exc)
        return original(self, exc, *args, **kwargs)

    return set_exception


@guarded("aiohttp")
def _note_break(reader: Any, error: BaseException) -> None:
    found = _found(reader)
    if found is None or _is_closing(error):
        return
    try:
        _broken.put(error, found)
    except TypeError:
        # One of Python's own, by which nothing can be found: told where it is logged.
        return


def _is_closing(error: BaseException) -> bool:
    """Whether it is said of a response that the application itself closed."""
    return type(error).__name__ == "ClientConnectionError"


def _found(reader: Any) -> _Broken | None:
    """What is known of the response that a reader reads; None for what a server reads."""
    # The reader knows its response by what it is to call at its end.
    for callback in reader._eof_callbacks:
        owner = getattr(callback, "__self__", None)
        url = getattr(owner, "_real_url", None)
        place = address_of(str(url)) if url is not None else None
        if place is not None:
            return _Broken(place, weakref.ref(owner))
    return None


def _wrap_reading(original: Any) -> Any:
    @wraps(original)
    async def read(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await original(self, *args, **kwargs)
        except StopAsyncIteration:
            raise
        except Exception as error:
            _body_broke(self, error)
            raise

    return read


@guarded("aiohttp")
def _body_broke(source: Any, error: Exception) -> None:
    found = _broken.get(error)
    reader = _reader_of(source) if found is None else None
    # A timeout of the whole request is known to who waits for it only; what breaks together with
    # its head is broken before the reader knows its response.
    if reader is not None and (isinstance(error, TimeoutError) or reader._exception is error):
        found = _found(reader)
    if found is not None and not _is_closing(error):
        watching.broke(_LIBRARY, error, lambda: found.place, found.response)


def _reader_of(source: Any) -> Any:
    """The reader behind what is read from: an iterator, or the reader itself."""
    function = getattr(source, "read_func", None)
    readers = (source, getattr(source, "_stream", None), getattr(function, "__self__", None))
    return next((each for each in readers if hasattr(each, "_eof_callbacks")), None)


def _wrap_raising(original: Any) -> Any:
    # Its exception, alone among those of all clients, does not know of what answer it is made.
    @wraps(original)
    def raise_for_status(self: Any) -> Any:
        try:
            return original(self)
        except Exception as error:
            watching.made_of(self, error)
            raise

    return raise_for_status


def _wrap_closing(original: Any) -> Any:
    @wraps(original)
    def closing(self: Any) -> Any:
        if _open and _open.pop(id(self.content), None) is not None:
            raw.left(self)
        return original(self)

    return closing
