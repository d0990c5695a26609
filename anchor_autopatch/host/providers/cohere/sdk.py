"""The Cohere SDK, 5.0 and later, v1 and v2: every call goes through one HTTP client class.

Cohere bills `billed_units`, which stand in `usage` (v2 chat) or in `meta`; `tokens` beside them is
another count of the same. Its clients for AWS and Oracle turn the request into another one on the
way: who invoices is told by where it went.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture import attempts, streams
from anchor_autopatch.host.capture.calls import Call, Opened, Seen, enforce, wrap, wrap_async
from anchor_autopatch.host.capture.layers import active, leave_context
from anchor_autopatch.host.capture.sites import Site, host_of, site
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers import objects
from anchor_autopatch.host.providers.cohere import objects as cohere_objects
from anchor_autopatch.host.providers.cohere.objects import SHAPE
from anchor_autopatch.host.providers.reading import get, text, to_json
from anchor_autopatch.host.providers.tap import LineReader, parsed, tap

_NAME = "cohere"
OPERATIONS = {
    "chat": "chat",
    "generate": "text_completion",
    "summarize": "summarize",
    "embed": "embeddings",
    "rerank": "rerank",
    "classify": "classification",
    "parse": "ocr",
    "audio/transcriptions": "transcription",
}
_MARKS = (b"billed_units",)
_FAILED = 400


def version() -> str | None:
    """The installed version; the SDK keeps it only in its package metadata."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("cohere")
    except PackageNotFoundError:
        return None


def patch(http_client: ModuleType) -> None:
    """Wraps the choke points; `http_client` is `cohere.core.http_client`."""
    adapter = _Adapter()
    plain, asynchronous = http_client.HttpClient, http_client.AsyncHttpClient
    patching.replace(plain, "request", wrap(adapter))
    patching.replace(asynchronous, "request", wrap_async(adapter))
    patching.replace(plain, "stream", adapter.wrap_stream)
    patching.replace(asynchronous, "stream", adapter.wrap_async_stream)
    # What they return is slept before the next try.
    for name, error_of in (("_retry_timeout", _error), ("_retry_timeout_from_retries", None)):
        patching.replace_if_present(http_client, name, attempts.before_retry(_NAME, error_of))


def read_request(operation: str, body: dict[str, Any]) -> dict[str, object] | None:
    """How many documents a rerank compares: 100 of them are one search unit."""
    documents = body.get("documents")
    return (
        {"documents": len(documents)}
        if operation == "rerank" and isinstance(documents, list)
        else None
    )


def read_usage(_operation: str, answer: dict[str, Any]) -> Seen:
    """Usage of an answer, or of the last event of a stream.

    A v2 stream ends with {"delta": {"usage": ...}}, a v1 stream with {"response": {"meta": ...}}.
    """
    inner = answer.get("delta") or answer.get("response") or answer
    usage = get(inner, "usage") or get(inner, "meta")
    if not isinstance(usage, dict) or _is_unknown(usage):
        usage = None
    named = (
        text(answer, "id")
        or text(answer, "response_id")
        or text(inner, "response_id")
        or text(answer, "generation_id")
    )
    return Seen(to_json(usage), _shape(usage) if usage else None, response_id=named)


def _shape(usage: dict[str, Any]) -> str:
    # Jina and others speak this dialect, but count tokens as OpenAI does.
    return "openai.chat" if "total_tokens" in usage and "billed_units" not in usage else SHAPE


def _is_unknown(usage: dict[str, Any]) -> bool:
    """True for the -1 that the SDK puts where AWS told no count."""
    units = usage.get("billed_units")
    return isinstance(units, dict) and any(
        isinstance(count, (int, float)) and count < 0 for count in units.values()
    )


class _Adapter:
    """This SDK's side of `calls.wrap`."""

    def __init__(self) -> None:
        guard = guarded(_NAME)
        self.open = guard(self._open)
        self.close = guard(self._close)
        self.fail = guard(self._fail)
        self.begin_stream = guard(self._begin_stream)
        self.end_stream = guard(self._end_stream)

    def refused_injection(self, call: Call, error: BaseException) -> bool:
        """Nothing is ever added to these requests."""
        return False

    def _open(
        self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any], stream: bool = False
    ) -> Opened | None:
        retries = kwargs.get("retries", 0)
        if retries:
            # The SDK retries by calling itself: the same call goes on.
            outer = active.get()
            if outer is not None and outer.target == _NAME:
                outer.attempts = retries + 1
            return None
        if _NAME in patching.off:
            return None
        path = args[0] if args else kwargs.get("path")
        operation = operation_of(kwargs.get("method"), path)
        given = kwargs.get("json")
        body = given if isinstance(given, dict) else {}
        model = body.get("model")
        call = Call(
            _NAME,
            operation or "other",
            model if isinstance(model, str) else None,
            _site(client, kwargs.get("base_url")),
            stream=stream,
        )
        call.billable = operation is not None
        call.attempts = 1
        if operation is None:
            call.reader = cohere_objects.request(kwargs.get("method"), path)
        else:
            call.facts = read_request(operation, body)
        return Opened(call, args, kwargs)

    def _close(self, call: Call, response: Any) -> None:
        call.http_status = response.status_code
        _place(call, response)
        if response.status_code >= _FAILED:
            call.fail(_error(response))
            return
        asked = call.reader
        if isinstance(asked, objects.Request):
            self._close_object(call, asked, parsed(response.content))
            return
        if not call.billable:
            return
        call.adopted()
        # The parsed object that the application gets is made later: known by its response id.
        call.succeed(read_usage(call.operation, parsed(response.content)))

    def _close_object(self, call: Call, asked: objects.Request, answer: dict[str, Any]) -> None:
        call.billable = True
        call.operation = asked.operation
        found = cohere_objects.read(asked, answer)
        if found:
            objects.settle(call, found[0], None, retrieved=asked.retrieved)
        else:
            call.leave_to_children()

    def _fail(self, call: Call, error: BaseException) -> None:
        call.fail(error)

    def _begin_stream(self, call: Call, response: Any) -> None:
        call.http_status = response.status_code
        _place(call, response)
        if response.status_code < _FAILED and call.billable:
            call.adopted()
            call.reader = LineReader(_MARKS, lambda event: read_usage(call.operation, event))
            tap(response, call)

    def _end_stream(self, call: Call, response: Any) -> None:
        if response.status_code >= _FAILED:
            call.fail(_error(response))
        streams.leave_response(response)

    def wrap_stream(self, original: Any) -> Any:
        """Makes the context manager `stream`, in which the SDK reads the response."""

        @wraps(original)
        @contextmanager
        def stream(client: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
            opened = self.open(client, args, kwargs, True)
            if opened is None:
                with original(client, *args, **kwargs) as response:
                    yield response
                return
            enforce(opened.call)
            manager = original(client, *args, **kwargs)
            token = active.set(opened.call)
            try:
                response = manager.__enter__()
            except BaseException as error:
                self.fail(opened.call, error)
                raise
            finally:
                leave_context(token)
            self.begin_stream(opened.call, response)
            with _Entered(manager):
                try:
                    yield response
                finally:
                    self.end_stream(opened.call, response)

        return stream

    def wrap_async_stream(self, original: Any) -> Any:
        """Makes the asynchronous context manager `stream`."""

        @wraps(original)
        @asynccontextmanager
        async def stream(client: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            opened = self.open(client, args, kwargs, True)
            if opened is None:
                async with original(client, *args, **kwargs) as response:
                    yield response
                return
            enforce(opened.call)
            manager = original(client, *args, **kwargs)
            token = active.set(opened.call)
            try:
                response = await manager.__aenter__()
            except BaseException as error:
                self.fail(opened.call, error)
                raise
            finally:
                leave_context(token)
            self.begin_stream(opened.call, response)
            async with _Entered(manager):
                try:
                    yield response
                finally:
                    self.end_stream(opened.call, response)

        return stream


class _Entered:
    """A context manager that has been entered already."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager

    def __enter__(self) -> None:
        return

    def __exit__(self, *error: Any) -> Any:
        return self._manager.__exit__(*error)

    async def __aenter__(self) -> None:
        return

    async def __aexit__(self, *error: Any) -> Any:
        return await self._manager.__aexit__(*error)


def operation_of(method: Any, path: Any) -> str | None:
    """The operation of a request by its path, in either version; None for what costs nothing."""
    if str(method).upper() != "POST" or not isinstance(path, str):
        return None
    version, _, rest = path.strip("/").partition("/")
    return OPERATIONS.get(rest) if version in ("v1", "v2") else None


def _site(client: Any, base_url: Any) -> Site:
    headers = client.base_headers()
    key = headers.get("Authorization", "").removeprefix("Bearer ")
    return site("cohere", host_of(client.get_base_url(base_url)), key or None)


def _place(call: Call, response: Any) -> None:
    """Notes where a request went that the client of a cloud has sent elsewhere."""
    went_to = host_of(response.request.url)
    asked = call.site
    if went_to is None or asked is None or went_to == asked.host:
        return
    # The key of these clients is a word that stands for none.
    call.site = site("cohere", went_to, None)
    call.provider = call.site.provider_for(call.request_model)


def _error(response: Any, retries: int = 0) -> Exception:
    """The failure as the SDK will raise it from this response, some lines later, or would have."""
    made = sys.modules["cohere.core.api_error"].ApiError
    read = hasattr(response, "_content")
    body = parsed(response.content) if read else {}
    error: Exception = made(status_code=response.status_code, body=body)
    return error
