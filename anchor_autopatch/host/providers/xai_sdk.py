"""The xAI SDK, 1.0 and later, which speaks gRPC: its stubs' methods are the choke point.

Chat (sample, stream, parse, defer and their batches of n, which share one usage), compaction,
images, videos, batches, collection search. A deferred request is one call from its start to the
poll that brings the answer.
"""

from __future__ import annotations

import atexit
import json
import sys
from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture import identity
from anchor_autopatch.host.capture.calls import NOTHING, Call, Opened, Seen
from anchor_autopatch.host.capture.evidence import Counts
from anchor_autopatch.host.capture.sites import site
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers.grpc_stubs import Channels, Method

_NAME = "xai-sdk"
_PROVIDER = "xai"
_SHAPE = "xai.sampling"
# Stub -> its methods that can cost money -> operation.
_STUBS: dict[str, dict[str, str]] = {
    "ChatStub": {
        "GetCompletion": "chat",
        "GetCompletionChunk": "chat",
        "CompactContext": "chat",
        "StartDeferredCompletion": "chat",
        "GetDeferredCompletion": "chat",
    },
    "ImageStub": {"GenerateImage": "image_generation"},
    "VideoStub": {"GenerateVideo": "video", "ExtendVideo": "video", "GetDeferredVideo": "video"},
    "BatchMgmtStub": {
        "CreateBatch": "batch",
        "ListBatchResults": "batch",
        "GetBatchRequestResult": "batch",
    },
    "DocumentsStub": {"Search": "search"},
}
OPERATIONS = {name: operation for stub in _STUBS.values() for name, operation in stub.items()}
_STREAMED = frozenset(("GetCompletionChunk",))
_SUBMITS = frozenset(("StartDeferredCompletion", "GenerateVideo", "ExtendVideo"))
_POLLS = frozenset(("GetDeferredCompletion", "GetDeferredVideo"))
_RESULTS = frozenset(("ListBatchResults", "GetBatchRequestResult"))
_ANSWERS = ("completion_response", "image_response", "video_response")
_PENDING_LIMIT = 4_096
"""Deferred requests and batches remembered here; the oldest goes first, so memory is bounded."""


class DeferredError(Exception):
    """A deferred request that xAI gave up; the SDK tells it in an exception of its own, above."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def version() -> str | None:
    """The imported SDK's version."""
    return getattr(sys.modules.get("xai_sdk.__about__"), "__version__", None)


def patch(sync_client: ModuleType) -> None:
    """Wraps the stubs and the two clients; `sync_client` is `xai_sdk.sync.client`."""
    channels = Channels(_NAME, _Adapter())
    for module in (sync_client, sys.modules["xai_sdk.aio.client"]):
        patching.replace(module.Client, "_make_grpc_channel", channels.wrap_make_channel)
    protos = sys.modules["xai_sdk.proto"]
    for stub, methods in _STUBS.items():
        found = _stub_class(protos, stub)
        streamed = {name: name in _STREAMED for name in methods}
        patching.replace(found, "__init__", channels.wrap_init(streamed))


def _stub_class(protos: ModuleType, name: str) -> Any:
    for module in vars(protos).values():
        found = getattr(module, name, None) if isinstance(module, ModuleType) else None
        if found is not None:
            return found
    raise patching.NotPatchableError(f"xai_sdk.proto has no {name}")


def read_request(operation: str, request: Any) -> dict[str, object] | None:
    """What the price of a request depends on, where the answer does not say it."""
    if operation == "image_generation":
        names = ("quality", "resolution", "aspect_ratio")
        return {name: _enum(request, name) for name in names if getattr(request, name)} or None
    if operation == "video" and _has(request, "resolution"):
        return {"video_resolution": _enum(request, "resolution")}
    return {"file_searches": 1} if operation == "search" else None


def read_usage(answer: Any) -> Seen:
    """Usage, served model and tier of an answer: of a completion, of images, of a video."""
    usage = _usage_json(answer.usage) if _has(answer, "usage") else None
    return Seen(
        usage,
        _SHAPE if usage else None,
        getattr(answer, "model", "") or None,
        getattr(answer, "id", "") or None,
        _facts(answer),
    )


def _usage_json(usage: Any) -> str:
    """The counts that were sent, by their names in usage.proto; tools by the names of their enum.

    A count of 0 is not on the wire; the cost in ticks is, because it has a presence of its own.
    """
    found: dict[str, Any] = {}
    for field, value in usage.ListFields():
        if field.enum_type is not None:
            names = field.enum_type.values_by_number
            found[field.name] = [names[n].name if n in names else n for n in value]
        else:
            found[field.name] = value
    return json.dumps(found, separators=(",", ":"))


def _facts(answer: Any) -> dict[str, object] | None:
    facts: dict[str, object] = {}
    if _has(answer, "service_tier"):
        facts["service_tier"] = _enum(answer, "service_tier").removeprefix("service_tier_")
    if "images" in answer.DESCRIPTOR.fields_by_name:
        facts["images"] = len(answer.images)
    if _has(answer, "video"):
        facts["video_seconds"] = answer.video.duration
    return facts or None


def _texts(request: Any) -> dict[str, Any]:
    """The texts of a chat's request, for their length."""
    contents = (part for message in request.messages for part in message.content)
    return {"messages": [part.text for part in contents]}


def _has(message: Any, name: str) -> bool:
    """True for a field that is set; False where this version of the message has none such."""
    field = message.DESCRIPTOR.fields_by_name.get(name)
    if field is None:
        return False
    return bool(message.HasField(name) if field.has_presence else getattr(message, name))


def _enum(message: Any, name: str) -> str:
    number = getattr(message, name)
    known = message.DESCRIPTOR.fields_by_name[name].enum_type
    if known is None:
        return str(number)
    value = known.values_by_number.get(number)
    return value.name.lower() if value is not None else str(number)


class _Adapter:
    """This SDK's side of `calls.wrap`."""

    def __init__(self) -> None:
        guard = guarded(_NAME)
        self.open = guard(self._open)
        self.close = guard(self._close)
        self.fail = guard(self._fail)
        self._pending: OrderedDict[str, Call] = OrderedDict()
        self._batches: OrderedDict[str, Call] = OrderedDict()
        atexit.register(guard(self._leave_pending))

    def refused_injection(self, call: Call, error: BaseException) -> bool:
        """Nothing is ever added to these requests."""
        return False

    def _open(self, method: Method, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Opened | None:
        if _NAME in patching.off:
            return None
        request = args[0] if args else kwargs["request"]
        call = self._call(method, getattr(request, "model", "") or None)
        call.facts = read_request(call.operation, request)
        call.answer = method.name, request
        call.billable = method.name not in _POLLS and method.name not in _RESULTS
        if call.stream:
            call.reader = _ChunkReader()
            call.request = partial(_texts, request)
        return Opened(call, args, kwargs)

    def _call(self, method: Method, model: str | None) -> Call:
        origin = method.origin
        place = site(_PROVIDER, origin.host, origin.api_key) if origin else None
        stream = method.name in _STREAMED
        return Call(_NAME, OPERATIONS[method.name], model, place, stream=stream)

    def _close(self, call: Call, result: Any) -> None:
        (name, request), call.answer = call.answer, None
        call.adopted()
        if name in _SUBMITS:
            _keep(self._pending, result.request_id, call)
        elif name in _POLLS:
            self._poll(call, request.request_id, result)
        elif name in _RESULTS:
            call.leave_to_children()
            found = result.results if name == "ListBatchResults" else [result.result]
            self._results(call, request.batch_id, found)
        elif name == "CreateBatch":
            # Free itself: it says who will be billed for the results.
            call.billable = False
            call.provider_request_id = result.batch_id
            call.facts = {"batch": True, "unfinished": True}
            call.succeed(Seen(response_id=result.batch_id))
            _keep(self._batches, result.batch_id, call)
        else:
            call.succeed(NOTHING if name == "Search" else read_usage(result))

    def _poll(self, poll: Call, request_id: str, result: Any) -> None:
        status = _enum(result, "status")
        if status == "pending":
            poll.leave_to_children()
            return
        started = self._pending.pop(request_id, None)
        call = started or poll
        if status != "done":
            call.fail(DeferredError(status))
        else:
            call.provider_request_id = request_id
            self._finish_deferred(call, request_id, read_usage(result.response), started is None)
        poll.leave_to_children()

    def _finish_deferred(self, call: Call, request_id: str, seen: Seen, retrieved: bool) -> None:
        call.billable = True
        if retrieved:
            # Started in another process, whose row has the request's id; see `providers.objects`.
            call.facts = {**(call.facts or {}), "retrieved": True}
            if seen.response_id is not None:
                identity.remember_response_id(call.provider, seen.response_id, request_id)
        if retrieved or seen.response_id is None:
            seen = seen._replace(response_id=request_id)
        self._settle(call, seen)

    def _settle(self, call: Call, seen: Seen) -> None:
        """Writes the receipt, unless this very answer has been fetched here before."""
        key = seen.response_id
        if key is not None and identity.receipt_of_response_id(key, call.provider) is not None:
            call.leave_to_children()
            return
        call.succeed(seen)

    def _results(self, listing: Call, batch_id: str, results: Any) -> None:
        submitted = self._batches.get(batch_id)
        for result, answer in _answers(results):
            call = Call(_NAME, "batch", None, listing.site, stream=False)
            if submitted is not None:
                call.attribution = submitted.attribution
            call.provider_request_id = batch_id
            call.facts = {"batch": True, "batch_id": batch_id, "retrieved": True}
            seen = read_usage(answer)
            own_id = seen.response_id or f"{batch_id}/{result.batch_request_id}"
            self._settle(call, seen._replace(response_id=own_id))

    def _fail(self, call: Call, error: BaseException) -> None:
        call.answer = None
        call.fail(error)

    def _leave_pending(self) -> None:
        """Leaves the trace of requests that were started here and are fetched elsewhere."""
        while self._pending:
            request_id, call = self._pending.popitem()
            call.billable = False
            call.provider_request_id = request_id
            call.facts = {**(call.facts or {}), "unfinished": True}
            call.cut_short(Seen(response_id=request_id))


def _keep(calls: OrderedDict[str, Call], key: str, call: Call) -> None:
    calls[key] = call
    if len(calls) > _PENDING_LIMIT:
        calls.popitem(last=False)


def _answers(results: Any) -> Iterator[tuple[Any, Any]]:
    for result in results:
        if result.HasField("response"):
            for name in _ANSWERS:
                if result.response.HasField(name):
                    yield result, getattr(result.response, name)


class _ChunkReader(Counts):
    """Chunks of a completion: the usage is cumulative, the last one holds."""

    def __init__(self) -> None:
        self.begun = False
        self._last: Any = None
        self._told: Any = None
        self._ended = False

    def feed(self, chunk: Any) -> bool:
        self.begun = True
        self._last = chunk
        if chunk.HasField("usage"):
            self._told = chunk
        for output in chunk.outputs:
            words = output.delta.content or output.delta.reasoning_content
            if words:
                self.characters += len(words)
                self.chunks += 1
            self._ended = self._ended or bool(output.finish_reason)
        return False

    def seen(self) -> Seen:
        if self._last is None:
            return NOTHING
        seen = read_usage(self._told or self._last)
        return seen if self._ended else seen._replace(source="partial")

    def complete(self) -> bool:
        return self._ended and self._told is not None
