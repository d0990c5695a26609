"""What the SDKs made by the Stainless generator share (openai, anthropic, groq).

One base client, one choke point.

`{Sync,Async}APIClient.request` sees every call whichever way it was made (create, parse, stream
helpers, raw responses, `client.post`), once per logical call; its shape is the same from openai
1.30 to 3.54.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from anchor_autopatch.core.provider_hosts import TELL_UNASKED
from anchor_autopatch.host import patching
from anchor_autopatch.host.capture import attempts, streams
from anchor_autopatch.host.capture.calls import Call, Opened, Seen, wrap, wrap_async
from anchor_autopatch.host.capture.identity import ObjectMemo
from anchor_autopatch.host.capture.layers import active
from anchor_autopatch.host.capture.sites import Site, host_of, site
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers import batch_files, objects, pieces
from anchor_autopatch.host.providers.answers import (
    UnreadBody,
    is_events,
    is_read,
    raw_answer,
    read_events,
)
from anchor_autopatch.host.providers.reading import get
from anchor_autopatch.host.providers.tap import parsed

_RAW_RESPONSE_HEADER = "X-Stainless-Raw-Response"
_RETRY_HEADER = "x-stainless-retry-count"
_UNREAD = (
    "APIResponse",
    "AsyncAPIResponse",
    "StreamedBinaryAPIResponse",
    "AsyncStreamedBinaryAPIResponse",
)
_RAW = ("LegacyAPIResponse", *_UNREAD)
_PARSED = "__pydantic_fields_set__"
"""What an answer has that the SDK made into a model: nothing is left to find out about it."""
_REFUSAL_STATUSES = (400, 404, 422)
_REFUSING_LIMIT = 1_024
"""Hosts that are known to refuse stream options; then each is asked once more."""
_STREAMED_OBJECTS = ("responses", "run", "interactions")
_LISTED = ("batch_results",)
_UNFINISHED = ("queued", "in_progress")
_IN_BACKGROUND = ("responses", "interactions")
"""Operations whose answer may say that the work goes on."""
_ALONE, _INTO_THEIRS = 1, 2
"""How usage was asked for: by stream options of ours alone, or in a copy of the caller's."""


class Family(NamedTuple):
    """What one SDK of the family supplies."""

    name: str
    provider: str
    """Who invoices a call of the plain client class to the provider's own host."""
    class_providers: dict[str, str]
    """Client class name -> who invoices, for the classes that decide it by themselves."""
    operations: dict[str, str]
    """End of the URL path -> operation, for everything that can cost money."""
    request_id_header: str
    request_facts: Callable[[str, dict[str, Any]], dict[str, object] | None]
    """(operation, request body) -> what the price depends on."""
    read_usage: Callable[[str, Any], Seen]
    """(operation, parsed answer: model object or dict) -> what it tells."""
    stream_reader: Callable[[str, bool], streams.Reader]
    """(operation, include_usage was injected) -> a reader of the stream's chunks."""
    usage_on_request: str | None
    """The operation whose streams tell usage only when `stream_options.include_usage` asks."""
    stream_helpers: dict[str, tuple[str, ...]] = {}  # noqa: RUF012 - a default that nobody changes
    """Module -> classes whose `close` goes past the stream that they read."""
    object_request: Callable[[str, str], objects.Request | None] | None = None
    """(method, path) -> what the request submits or asks for, where it works on objects."""
    read_objects: Callable[[objects.Request, Any], list[objects.Object]] | None = None
    """(request, answer: model object, dict or text) -> the objects that it describes."""


class Adapter:
    """The family's side of `calls.wrap`."""

    def __init__(self, family: Family) -> None:
        self.family = family
        guard = guarded(family.name)
        self.open = guard(self._open)
        self.close = guard(self._close)
        self.fail = guard(self._fail)
        self.refused_injection = guard(self._refused_injection)
        self.note_response = guard(self._note_response)
        self.note_closing = guard(self._note_closing)
        self._sites: ObjectMemo[tuple[object, object, Site]] = ObjectMemo()
        self._refusing: set[str | None] = set()
        self._helpers = dict(family.stream_helpers)

    def _open(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Opened | None:
        if self.family.name in patching.off:
            return None
        options = args[1] if len(args) > 1 else kwargs["options"]
        # The SDK's own methods give the bare path: one look-up then.
        operation = self.family.operations.get(options.url) if options.method == "post" else None
        if operation is None:
            operation = operation_of(self.family.operations, options.method, options.url)
        body = options.json_data if isinstance(options.json_data, dict) else {}
        model = body.get("model") or _session_model(body, options.files)
        stream = bool(kwargs.get("stream"))
        call = Call(
            self.family.name,
            operation or "other",
            model if isinstance(model, str) else None,
            self._site(client, options.url),
            stream=stream,
        )
        call.billable = operation is not None
        if operation is None:
            self._open_object(call, options)
            return Opened(call, args, kwargs)
        call.facts = self.family.request_facts(operation, body)
        if stream:
            self._patch_helpers()
            if operation == self.family.usage_on_request and self._may_inject(call, options, body):
                args, kwargs = _with_usage(args, kwargs, options, body)
                call.injected = _INTO_THEIRS if body.get("stream_options") else _ALONE
            call.reader = self.family.stream_reader(operation, bool(call.injected))
            if body.get("background") is True:
                # It goes on when the application leaves the stream, to be billed at its end.
                call.reader = objects.SettlingReader(call, call.reader, retrieved=False)
        return Opened(call, args, kwargs)

    def _open_object(self, call: Call, options: Any) -> None:
        ask = self.family.object_request
        path = options.url.partition("?")[0].rstrip("/")
        request = ask(options.method.upper(), path) if ask is not None else None
        if request is None:
            return
        call.operation = request.operation
        call.reader = request
        if call.stream and request.operation in _STREAMED_OBJECTS:
            call.billable = True
            inner = self.family.stream_reader(request.operation, False)
            call.reader = objects.SettlingReader(call, inner, retrieved=request.retrieved)

    def _site(self, client: Any, url: str) -> Site:
        base_url = client._base_url
        key = getattr(client, "api_key", None)
        if "://" in url:
            return self._new_site(client, url, key)
        known = self._sites.get(client)
        # A client may be given another address or key later on.
        if known is not None and known[0] is base_url and known[1] is key:
            return known[2]
        found = self._new_site(client, base_url, key)
        self._sites.put(client, (base_url, key, found))
        return found

    def _new_site(self, client: Any, url: object, key: object) -> Site:
        names = [base.__name__.removeprefix("Async") for base in type(client).__mro__]
        by_class = next(
            (
                self.family.class_providers[name]
                for name in names
                if name in self.family.class_providers
            ),
            None,
        )
        return site(
            by_class or self.family.provider,
            host_of(url),
            key if isinstance(key, str) else None,
            class_decides=by_class is not None,
        )

    def _may_inject(self, call: Call, options: Any, body: dict[str, Any]) -> bool:
        chosen = body.get("stream_options")
        if isinstance(chosen, dict) and "include_usage" in chosen:
            return False
        headers = options.headers
        # Whoever reads the raw lines would see a chunk that he did not ask for.
        if isinstance(headers, dict) and headers.get(_RAW_RESPONSE_HEADER) == "stream":
            return False
        if call.provider in TELL_UNASKED:
            return False
        return call.site is not None and call.site.known and call.site.host not in self._refusing

    def _refused_injection(self, call: Call, error: BaseException) -> bool:
        if not call.injected or getattr(error, "status_code", None) not in _REFUSAL_STATUSES:
            return False
        if call.injected == _INTO_THEIRS:
            # The caller sends stream options of his own: who knows which of them was refused.
            return False
        words = f"{error} {getattr(error, 'body', '')}"
        if "stream_options" not in words and "include_usage" not in words:
            return False
        if call.site is not None:
            if len(self._refusing) >= _REFUSING_LIMIT:
                self._refusing.clear()
            self._refusing.add(call.site.host)
        return True

    def _note_response(self, response: Any, retries_taken: object) -> None:
        call = active.get()
        if call is None or call.target != self.family.name:
            return
        call.http_status = response.status_code
        if isinstance(retries_taken, int):
            call.attempts = retries_taken + 1
        if call.stream and call.billable:
            call.provider_request_id = self._request_id(response)
            streams.watch(response, call)
        else:
            call.answer = response

    def _request_id(self, response: Any) -> str | None:
        found: str | None = response.headers.get(self.family.request_id_header)
        return found

    def _close(self, call: Call, result: Any) -> None:
        answered, call.answer = call.answer, None
        # The SDK puts the id on what it has parsed. A look into the headers costs 1.4 us.
        call.provider_request_id = call.provider_request_id or getattr(result, "_request_id", None)
        if answered is not None and call.provider_request_id is None:
            call.provider_request_id = self._request_id(answered)
        if isinstance(call.reader, objects.Request):
            self._close_objects(call, call.reader, result, answered)
            return
        if not call.billable:
            return
        if call.parent is not None:
            call.adopted()
        if call.stream:
            return
        if not hasattr(result, _PARSED):
            self._close_unparsed(call, result, answered)
        elif call.operation in _IN_BACKGROUND:
            self._succeed(call, result, result)
        else:
            call.succeed(self.family.read_usage(call.operation, result), result)

    def _close_unparsed(self, call: Call, result: Any, answered: Any) -> None:
        kind = type(result).__name__
        if kind in _UNREAD and not is_read(result.http_response):
            # The application reads the body by itself; the answer is read when it closes it.
            family, operation = self.family, call.operation
            call.reader = UnreadBody(
                operation, family.read_usage, lambda: family.stream_reader(operation, False)
            )
            streams.watch(result.http_response, call)
            return
        raw = kind in _RAW or type(result).__module__.startswith("httpx")
        if answered is not None and is_events(answered):
            call.succeed(read_events(answered, self.family.stream_reader(call.operation, False)))
            return
        answer = raw_answer(answered) if raw and answered is not None else result
        self._succeed(call, answer, result)

    def _succeed(self, call: Call, answer: Any, result: Any) -> None:
        if call.operation in _IN_BACKGROUND and get(answer, "status") in _UNFINISHED:
            submitted = objects.Request(call.operation, "", retrieved=False)
            self._close_objects(call, submitted, answer, None)
            return
        call.succeed(self.family.read_usage(call.operation, answer), result)

    def _close_objects(
        self, call: Call, request: objects.Request, result: Any, answered: Any
    ) -> None:
        read = self.family.read_objects
        if read is None:
            return
        if isinstance(request, batch_files.OutputFile):
            response = answered if answered is not None else result.http_response
            batch_files.watch(call, request, response)
            return
        if call.stream:
            call.reader = objects.ListReader(call, request, read)
            call.leave_to_children()
            streams.watch(getattr(result, "http_response", None) or result.response, call)
            return
        answer = result
        if answered is not None and is_read(answered) and not isinstance(result, dict):
            answer = raw_answer(answered) or answered.text
        if not request.retrieved and answered is not None and is_events(answered):
            reader = self.family.stream_reader(request.operation, False)
            settling = objects.SettlingReader(call, reader, retrieved=False)
            call.billable = True
            call.succeed(read_events(answered, settling))
            return
        found = read(request, answer)
        call.billable = True
        if len(found) == 1 and request.operation not in _LISTED:
            objects.settle(call, found[0], result, retrieved=request.retrieved)
        else:
            objects.each(call, request, found)

    def _fail(self, call: Call, error: BaseException) -> None:
        request = getattr(error, "request", None) or getattr(
            getattr(error, "response", None), "request", None
        )
        retries = getattr(request, "headers", {}).get(_RETRY_HEADER, "")
        if call.attempts is None:
            call.attempts = int(retries) + 1 if retries.isdigit() else 1
        answered, call.answer = call.answer, None
        if answered is not None:
            call.provider_request_id = self._request_id(answered)
        if answered is None or not is_read(answered):
            call.fail(error)
            return
        # The answer came, and is billed; the SDK could not parse it, or not into what was wanted.
        call.fail(
            error, self.family.read_usage(call.operation, raw_answer(answered)), answered=True
        )

    def _patch_helpers(self) -> None:
        # Helper modules are imported on first use, and only a helper's own stream comes from them.
        for module, names in list(self._helpers.items()):
            if module in sys.modules:
                del self._helpers[module]
                for name in names:
                    ours = (
                        _wrap_async_helper_close if name.startswith("Async") else _wrap_helper_close
                    )
                    patching.replace_if_present(
                        getattr(sys.modules[module], name, None), "close", ours
                    )

    def wrap_close(self, original: Any) -> Any:
        """Makes `close` of a response that the application reads by itself."""

        @wraps(original)
        def close(response: Any) -> Any:
            self.note_closing(response.http_response)
            return original(response)

        return close

    def wrap_async_close(self, original: Any) -> Any:
        """Makes the asynchronous `close` of a response that the application reads by itself."""

        @wraps(original)
        async def close(response: Any) -> Any:
            self.note_closing(response.http_response)
            return await original(response)

        return close

    def _note_closing(self, response: Any) -> None:
        call = streams.find(response)
        if call is None:
            return
        if isinstance(call.reader, UnreadBody):
            call.reader.closed(response)
        streams.leave_response(response)


def patch(family: Family, base_client: Any, streaming: Any) -> None:
    """Wraps the choke points of one SDK.

    Args:
        family: The SDK.
        base_client: Its `_base_client` module.
        streaming: Its `_streaming` module.

    Raises:
        NotPatchableError: a class or function is not where it is known to be.
    """
    adapter = Adapter(family)
    patching.replace(base_client.SyncAPIClient, "request", wrap(adapter))
    patching.replace(base_client.AsyncAPIClient, "request", wrap_async(adapter))
    patching.replace(base_client.SyncAPIClient, "_process_response", _noting(adapter))
    patching.replace(base_client.AsyncAPIClient, "_process_response", _noting_async(adapter))
    patching.replace(streaming.Stream, "__stream__", streams.wrap_stream)
    patching.replace(streaming.AsyncStream, "__stream__", streams.wrap_async_stream)
    patching.replace(streaming.Stream, "close", streams.wrap_close)
    patching.replace(streaming.AsyncStream, "close", streams.wrap_async_close)
    # The one that sleeps between two tries; before openai 1.66 the one that starts the next.
    again = attempts.before_retry(family.name, _error_of_try)
    for client in (base_client.SyncAPIClient, base_client.AsyncAPIClient):
        patching.replace_if_present(client, "_sleep_for_retry", again)
        patching.replace_if_present(client, "_retry_request", again)
    responses = sys.modules[f"{base_client.__package__}._response"]
    patching.replace(responses.APIResponse, "close", adapter.wrap_close)
    patching.replace(responses.AsyncAPIResponse, "close", adapter.wrap_async_close)
    pieces.patch(responses)


def _error_of_try(
    client: Any, *_args: Any, response: Any = None, **_kwargs: Any
) -> BaseException | None:
    """The error that the SDK would raise from a refused try; None where there was no answer."""
    if response is None:
        response = getattr(sys.exception(), "response", None)
    # The body of a streamed refusal is closed unread: only its status is known then.
    return client._make_status_error_from_response(response) if response is not None else None


def _noting(adapter: Adapter) -> Callable[[Any], Any]:
    def make(original: Any) -> Any:
        @wraps(original)
        def _process_response(self: Any, **kwargs: Any) -> Any:
            adapter.note_response(kwargs.get("response"), kwargs.get("retries_taken"))
            return original(self, **kwargs)

        return _process_response

    return make


def _noting_async(adapter: Adapter) -> Callable[[Any], Any]:
    def make(original: Any) -> Any:
        @wraps(original)
        async def _process_response(self: Any, **kwargs: Any) -> Any:
            adapter.note_response(kwargs.get("response"), kwargs.get("retries_taken"))
            return await original(self, **kwargs)

        return _process_response

    return make


def _session_model(body: dict[str, Any], files: Any) -> Any:
    """The model of a session that is asked for: in the body, or in a part of a form."""
    session = body.get("session")
    if session is None and isinstance(files, list):
        parts = [file[1] for file in files if file[0] == "session"]
        session = parsed(parts[0][1]) if parts else None
    return session.get("model") if isinstance(session, dict) else None


def operation_of(operations: dict[str, str], method: str, url: str) -> str | None:
    """The operation of a URL, by the longest known end of its path; None for what costs nothing."""
    if method.upper() != "POST":
        return None
    path = url.partition("?")[0].rstrip("/")
    found = operations.get(path)
    if found is not None:
        return found
    parts = path.split("/")
    for length in (3, 2, 1):
        found = operations.get("/" + "/".join(parts[-length:]))
        if found is not None:
            return found
    # A verb behind the name of one object: /calls/{id}/accept.
    return operations.get(f"/{parts[-3]}/*/{parts[-1]}") if len(parts) > 2 else None  # noqa: PLR2004 - as above


def _with_usage(
    args: tuple[Any, ...], kwargs: dict[str, Any], options: Any, body: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with usage asked for; the caller's options and dicts are not touched."""
    chosen = body.get("stream_options")
    ours = copy.copy(options)
    asked = (
        {**chosen, "include_usage": True} if isinstance(chosen, dict) else {"include_usage": True}
    )
    ours.json_data = {**body, "stream_options": asked}
    if len(args) > 1:
        return (args[0], ours, *args[2:]), kwargs
    return args, {**kwargs, "options": ours}


def _wrap_helper_close(original: Any) -> Any:
    @wraps(original)
    def close(self: Any) -> Any:
        try:
            return original(self)
        finally:
            streams.leave_response(self._response)

    return close


def _wrap_async_helper_close(original: Any) -> Any:
    @wraps(original)
    async def close(self: Any) -> Any:
        try:
            return await original(self)
        finally:
            streams.leave_response(self._response)

    return close
