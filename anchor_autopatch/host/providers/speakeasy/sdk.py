"""What the SDKs made by the Speakeasy generator share (mistralai, Google's interactions).

One choke point, `BaseSDK.do_request`, which gets the built HTTP request and returns the response;
errors are raised from it some lines later, streams are parsed from it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture import streams
from anchor_autopatch.host.capture.calls import Call, Opened, Seen, wrap, wrap_async
from anchor_autopatch.host.capture.sites import Site
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers import batch_files, objects
from anchor_autopatch.host.providers.answers import is_read
from anchor_autopatch.host.providers.tap import LineReader, parsed, tap

_MODEL = re.compile(rb'"(?:model|agent_id|agent)"\s*:\s*"([^"\\]{1,256})"')
_MARKS = (b'"usage"',)
_FAILED = 400
_STREAM = 3
"""Position of the argument `stream`."""


class Family(NamedTuple):
    """What one SDK of the family supplies."""

    name: str
    operation: Callable[[str, str], str | None]
    """(method, path) -> operation, for everything that costs money when it is asked for.

    Behind the path stands `#fim` where the SDK tells two methods of one path apart by that.
    """
    object_request: Callable[[str, str], objects.Request | None]
    """(method, path) -> what a request asks for that was submitted before."""
    site: Callable[[Any], Site]
    """HTTP request -> where it goes."""
    request_facts: Callable[[str, dict[str, Any]], dict[str, object] | None]
    """(operation, request body) -> what the price depends on."""
    facts_of: tuple[str, ...]
    """Operations whose request body is parsed for that."""
    read_usage: Callable[[str, dict[str, Any]], Seen]
    """(operation, answer or event) -> what it tells."""
    unfinished: Callable[[dict[str, Any]], bool]
    """Answer -> True when the provider still works on it."""
    error: Callable[[Any], Exception]
    """HTTP response -> the failure that the SDK will raise from it."""
    request_id_header: str
    events: str
    """Module of the SDK's stream classes."""
    streams: tuple[str, str]
    """Their names, synchronous and asynchronous."""
    read_objects: Callable[[objects.Request, dict[str, Any]], list[objects.Object]]
    """(request, answer) -> the objects that it describes."""


def patch(family: Family, plain: Any, asynchronous: Any) -> None:
    """Wraps the choke points: `do_request` of one class, `do_request_async` of the other."""
    families[family.name] = family
    adapter = _Adapter(family)
    patching.replace(plain, "do_request", wrap(adapter))
    patching.replace(asynchronous, "do_request_async", wrap_async(adapter))


families: dict[str, Family] = {}
"""The SDKs that are patched, by name."""


class _Adapter:
    """The family's side of `calls.wrap`."""

    def __init__(self, family: Family) -> None:
        self.family = family
        guard = guarded(family.name)
        self.open = guard(self._open)
        self.close = guard(self._close)
        self.fail = guard(self._fail)
        self._events_patched = False

    def refused_injection(self, call: Call, error: BaseException) -> bool:
        """Nothing is ever added to these requests."""
        return False

    def _open(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Opened | None:
        family = self.family
        if family.name in patching.off:
            return None
        request = args[1] if len(args) > 1 else kwargs["request"]
        stream = bool(next(iter(args[_STREAM : _STREAM + 1]), kwargs.get("stream")))
        path = _path(request)
        operation = family.operation(request.method, path)
        content = getattr(request, "_content", b"") if operation else b""
        model = _MODEL.search(content)
        call = Call(
            family.name,
            operation or "other",
            model[1].decode("utf-8", "replace") if model else None,
            family.site(request),
            stream=stream,
        )
        call.billable = operation is not None
        call.attempts = 1
        if operation is None:
            call.reader = family.object_request(request.method, path)
        elif operation in family.facts_of:
            call.facts = family.request_facts(operation, parsed(content))
        if stream:
            self._patch_events()
        return Opened(call, args, kwargs)

    def _close(self, call: Call, response: Any) -> None:
        call.http_status = response.status_code
        call.provider_request_id = response.headers.get(self.family.request_id_header)
        asked = call.reader
        if response.status_code >= _FAILED:
            call.fail(self.family.error(response))
        elif asked is not None:
            self._close_object(call, asked, response)
        elif call.billable:
            call.adopted()
            if call.stream:
                call.reader = self._line_reader(call)
                tap(response, call)
            else:
                self._read(call, response)

    def _read(self, call: Call, response: Any) -> None:
        answer = parsed(response.content)
        seen = self.family.read_usage(call.operation, answer)
        if seen.response_id is not None and self.family.unfinished(answer):
            found = objects.Object(seen.response_id, False, seen)
            objects.settle(call, found, None, retrieved=False)
            return
        # The parsed object that the application gets is made later: known by its response id.
        call.succeed(seen)

    def _close_object(self, call: Call, asked: objects.Request, response: Any) -> None:
        call.billable = True
        call.operation = asked.operation
        if isinstance(asked, batch_files.OutputFile):
            batch_files.watch(call, asked, response)
            if not is_read(response):
                tap(response, call)
            return
        if call.stream:
            reader = self._line_reader(call)
            call.reader = objects.SettlingReader(call, reader, retrieved=asked.retrieved)
            tap(response, call)
            return
        found = self.family.read_objects(asked, parsed(response.content))
        if len(found) == 1:
            objects.settle(call, found[0], None, retrieved=asked.retrieved)
        else:
            objects.each(call, asked, found)

    def _line_reader(self, call: Call) -> LineReader:
        return LineReader(_MARKS, lambda event: self.family.read_usage(call.operation, event))

    def _fail(self, call: Call, error: BaseException) -> None:
        call.fail(error)

    def _patch_events(self) -> None:
        # The SDK imports its parts on first use; a stream is closed through this one.
        events = sys.modules.get(self.family.events)
        if self._events_patched or events is None:
            return
        self._events_patched = True
        plain, asynchronous = (getattr(events, name) for name in self.family.streams)
        patching.replace_if_present(plain, "close", streams.wrap_close)
        patching.replace_if_present(asynchronous, "close", streams.wrap_async_close)
        if "close" not in vars(plain):
            # Earlier versions close the response itself where the `with` block ends.
            patching.replace_if_present(plain, "__exit__", _wrap_exit)
            patching.replace_if_present(asynchronous, "__aexit__", _wrap_async_exit)


def _path(request: Any) -> str:
    path: str = request.url.path.rstrip("/")
    return f"{path}#fim" if request.url.fragment == "fim" else path


def _wrap_exit(original: Any) -> Any:
    @wraps(original)
    def __exit__(self: Any, *error: Any) -> Any:  # noqa: N807 - the SDK's own name
        try:
            return original(self, *error)
        finally:
            streams.leave_response(self.response)

    return __exit__


def _wrap_async_exit(original: Any) -> Any:
    @wraps(original)
    async def __aexit__(self: Any, *error: Any) -> Any:  # noqa: N807 - the SDK's own name
        try:
            return await original(self, *error)
        finally:
            streams.leave_response(self.response)

    return __aexit__
