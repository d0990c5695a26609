"""urllib3: `HTTPConnectionPool.urlopen`, and the places where a response takes bytes off the wire.

Streams of requests are read here too. A body that is decoded by the library is watched before that,
so that every way to read it (`read`, `read1`, `stream`, lines, `data`) is seen once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture.layers import open_layer
from anchor_autopatch.host.clients import gateways, raw
from anchor_autopatch.host.dependencies import watching
from anchor_autopatch.host.dependencies.http import HTTPLibrary, address_of
from anchor_autopatch.host.patching import guarded

if TYPE_CHECKING:
    from anchor_autopatch.host.clients.exchange import Exchange

_DEFAULT_PORTS = {"https": 443, "http": 80}


def version() -> str | None:
    """The imported library's version."""
    return getattr(sys.modules.get("urllib3._version"), "__version__", None)


def patch(connectionpool: ModuleType) -> None:
    """Wraps what sends and what reads; `connectionpool` is `urllib3.connectionpool`."""
    patching.replace(connectionpool.HTTPConnectionPool, "urlopen", _wrap_urlopen)
    patching.replace(sys.modules["urllib3.util.retry"].Retry, "increment", _wrap_increment)
    response = sys.modules["urllib3.response"].HTTPResponse
    # 1.26 reads by `_fp_read`; in 2.x `_raw_read` is around it and checks the length.
    patching.replace(response, "_raw_read" if "_raw_read" in vars(response) else "_fp_read", _read)
    patching.replace(response, "_handle_chunk", _wrap_handle_chunk)
    patching.replace(response, "_update_chunk_length", _wrap_update_chunk_length)
    patching.replace(response, "read_chunked", _wrap_read_chunked)
    patching.replace(response, "close", _wrap_closing)
    patching.replace(response, "release_conn", _wrap_closing)


def _wrap_urlopen(original: Any) -> Any:
    # Below ours, where the call is open.
    return raw.wrap(_Client())(gateways.wrap_urlopen(original))


class _Client:
    """This library's side of `raw.wrap`."""

    name = "urllib3"
    attempts_of: frozenset[str] = frozenset(("requests", "urllib3"))
    attempts_below = False
    status = "status"

    def netloc(self, owner: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> str:
        return f"{owner.host}:{owner.port}"

    def request(self, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> raw.Request:
        given = dict(zip(("method", "url", "body", "headers"), args, strict=False)) | kwargs
        url = given["url"]
        if url.startswith("/"):
            port = "" if owner.port in (None, _DEFAULT_PORTS.get(owner.scheme)) else owner.port
            url = f"{owner.scheme}://{owner.host}{port and f':{port}'}{url}"
        body = given.get("body")
        return raw.Request(
            given["method"],
            url,
            {str(name).lower(): value for name, value in (given.get("headers") or {}).items()},
            body if isinstance(body, (bytes, bytearray, str)) else None,
        )

    def answered(self, exchange: Exchange, response: Any) -> None:
        status, headers, body = response.status, response.headers, response._body
        if isinstance(body, bytes) and response.decode_content:
            exchange.whole(status, headers, body, response)
        elif not exchange.headers(status, headers):
            return
        elif isinstance(body, bytes):
            exchange.feed(body)
            exchange.end(response)
        else:
            raw.open_bodies.put(response, exchange)


_LIBRARY = HTTPLibrary(_Client())


def _wrap_increment(original: Any) -> Any:
    @wraps(original)
    def increment(self: Any, *args: Any, **kwargs: Any) -> Any:
        # Raises where no try is left.
        again = original(self, *args, **kwargs)
        _note_try(args, kwargs)
        return again

    return increment


@guarded("urllib3")
def _note_try(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    call = open_layer()
    names = ("method", "url", "response", "error", "_pool")
    given = dict(zip(names, args, strict=False)) | kwargs
    response, error, pool = (given.get(name) for name in names[2:])
    if call is None or (response is not None and response.get_redirect_location()):
        return
    host = call.site.host if call.site is not None else None
    if host is not None and pool is not None and host.partition(":")[0] != pool.host:
        # Another service, asked while the call was open.
        return
    from anchor_autopatch.host.capture import attempts
    from anchor_autopatch.host.clients.exchange import HTTPStatusError

    if call.target in _Client.attempts_of:
        call.attempts = call.sends
    # The body of a refusal is read, and thrown away, only after this.
    attempts.failed(call, error or HTTPStatusError(getattr(response, "status", None), {}))


def _read(original: Any) -> Any:
    @wraps(original)
    def read(self: Any, *args: Any, **kwargs: Any) -> Any:
        exchange = raw.open_bodies.get(self)
        if exchange is None:
            try:
                return original(self, *args, **kwargs)
            except Exception as error:
                _body_broke(self, error)
                raise
        # The library releases the connection by itself in there: that is no leaving.
        exchange.busy = True
        try:
            data = original(self, *args, **kwargs)
        except BaseException as error:
            raw.open_bodies.pop(self)
            exchange.broke(error)
            raise
        finally:
            exchange.busy = False
        exchange.feed(data)
        amount = args[0] if args else kwargs.get("amt")
        if (not data and amount != 0) or _is_over(self._fp):
            raw.open_bodies.pop(self)
            exchange.end()
        return data

    return read


@guarded("urllib3")
def _is_over(source: Any) -> bool:
    is_closed = getattr(source, "isclosed", None)
    return bool(is_closed() if is_closed is not None else getattr(source, "closed", False))


def _wrap_handle_chunk(original: Any) -> Any:
    @wraps(original)
    def _handle_chunk(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            data = original(self, *args, **kwargs)
        except Exception as error:
            _body_broke(self, error)
            raise
        exchange = raw.open_bodies.get(self)
        if exchange is not None:
            exchange.feed(data)
        return data

    return _handle_chunk


def _wrap_update_chunk_length(original: Any) -> Any:
    # Where a chunked body that ends too early is found out most often.
    @wraps(original)
    def _update_chunk_length(self: Any) -> Any:
        try:
            return original(self)
        except Exception as error:
            _body_broke(self, error)
            raise

    return _update_chunk_length


@guarded(watching.TARGET)
def _body_broke(response: Any, error: Exception) -> None:
    def address() -> str | None:
        pool = response._pool
        return address_of(f"{pool.scheme}://{pool.host}:{pool.port}") if pool else None

    # A provider call's own stream is told by `_each`, around all of this.
    if raw.open_bodies.get(response) is None:
        watching.broke(_LIBRARY, error, address, lambda: response)


def _wrap_read_chunked(original: Any) -> Any:
    @wraps(original)
    def read_chunked(self: Any, *args: Any, **kwargs: Any) -> Any:
        chunks = original(self, *args, **kwargs)
        exchange = raw.open_bodies.get(self)
        return chunks if exchange is None else _each(chunks, exchange, self)

    return read_chunked


def _each(chunks: Any, exchange: Exchange, source: object) -> Iterator[bytes]:
    try:
        while True:
            exchange.busy = True
            try:
                chunk = next(chunks)
            except StopIteration:
                break
            except BaseException as error:
                raw.open_bodies.pop(source)
                exchange.broke(error)
                raise
            finally:
                exchange.busy = False
            yield chunk
    finally:
        # Left midway, this closes the connection, and with it the call.
        chunks.close()
    raw.open_bodies.pop(source)
    exchange.end()


def _wrap_closing(original: Any) -> Any:
    @wraps(original)
    def closing(self: Any) -> Any:
        raw.left(self)
        return original(self)

    return closing
