"""The Mistral SDK, 3.0 and later: every call goes through `BaseSDK.do_request`."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching, streams
from anchor_autopatch.host.calls import Call, Opened, Seen, wrap, wrap_async
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers.reading import get, text, to_json
from anchor_autopatch.host.providers.tap import LineReader, parsed, tap
from anchor_autopatch.host.sites import Site, host_of, site

_NAME = "mistralai"
_OPERATIONS = {
    "/v1/chat/completions": "chat",
    "/v1/agents/completions": "chat",
    "/v1/fim/completions": "text_completion",
    "/v1/embeddings": "embeddings",
    "/v1/responses": "responses",
    "/v1/ocr": "ocr",
    "/v1/audio/transcriptions": "transcription",
    "/v1/audio/speech": "speech",
    "/v1/moderations": "moderation",
    "/v1/chat/moderations": "moderation",
    "/v1/classifications": "classification",
    "/v1/chat/classifications": "classification",
}
_CONVERSATION = re.compile(r"/v1/conversations(?:/[^/]+)?(?:/restart)?")
_MODEL = re.compile(rb'"(?:model|agent_id)"\s*:\s*"([^"\\]{1,256})"')
_MARKS = (b'"usage"',)
_EVENTS = "mistralai.client.utils.eventstreaming"
_FAILED = 400
_STREAM = 3
"""Position of the argument `stream`."""


def version() -> str | None:
    """The imported SDK's version."""
    return getattr(sys.modules.get("mistralai.client._version"), "__version__", None)


def patch(basesdk: ModuleType) -> None:
    """Wraps the choke points; `basesdk` is `mistralai.client.basesdk`."""
    adapter = _Adapter()
    patching.replace(basesdk.BaseSDK, "do_request", wrap(adapter))
    patching.replace(basesdk.BaseSDK, "do_request_async", wrap_async(adapter))


def read_request(operation: str, body: dict[str, Any]) -> dict[str, object] | None:
    """How long a text is that is to be spoken."""
    spoken = body.get("input")
    return (
        {"characters": len(spoken)} if operation == "speech" and isinstance(spoken, str) else None
    )


def read_usage(operation: str, answer: dict[str, Any]) -> Seen:
    """Usage of an answer or of an event; pages of a document instead of tokens."""
    # Conversation events have usage beside their type, responses events below `response`.
    holder = answer.get("response") if isinstance(answer.get("response"), dict) else answer
    usage = get(holder, "usage")
    pages = get(get(holder, "usage_info"), "pages_processed")
    shape = "openai.responses" if operation == "responses" else "openai.chat"
    return Seen(
        to_json(usage),
        shape if usage else None,
        text(holder, "model"),
        text(holder, "id"),
        {"pages": pages} if isinstance(pages, int) else None,
    )


class _Adapter:
    """This SDK's side of `calls.wrap`."""

    def __init__(self) -> None:
        guard = guarded(_NAME)
        self.open = guard(self._open)
        self.close = guard(self._close)
        self.fail = guard(self._fail)
        self._events_patched = False

    def refused_injection(self, call: Call, error: BaseException) -> bool:
        """Nothing is ever added to these requests."""
        return False

    def _open(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Opened | None:
        if _NAME in patching.off:
            return None
        request = args[1] if len(args) > 1 else kwargs["request"]
        stream = bool(next(iter(args[_STREAM : _STREAM + 1]), kwargs.get("stream")))
        operation = _operation(request)
        content = getattr(request, "_content", b"") if operation else b""
        model = _MODEL.search(content)
        call = Call(
            _NAME,
            operation or "other",
            model[1].decode("utf-8", "replace") if model else None,
            _site(request),
            stream=stream,
        )
        call.billable = operation is not None
        if operation == "speech":
            call.facts = read_request(operation, parsed(content))
        if stream:
            self._patch_events()
        return Opened(call, args, kwargs)

    def _close(self, call: Call, response: Any) -> None:
        call.http_status = response.status_code
        call.provider_request_id = response.headers.get("mistral-correlation-id")
        if response.status_code >= _FAILED:
            call.fail(_error(response))
            return
        if not call.billable:
            return
        call.adopted()
        if call.stream:
            call.reader = LineReader(_MARKS, lambda event: read_usage(call.operation, event))
            tap(response, call)
            return
        # The parsed object that the application gets is made later: known by its response id.
        call.succeed(read_usage(call.operation, parsed(response.content)))

    def _fail(self, call: Call, error: BaseException) -> None:
        call.fail(error)

    def _patch_events(self) -> None:
        # The SDK imports its parts on first use; a stream is closed through this one.
        events = sys.modules.get(_EVENTS)
        if not self._events_patched and events is not None:
            self._events_patched = True
            patching.replace_if_present(events.EventStream, "close", streams.wrap_close)
            patching.replace_if_present(events.EventStreamAsync, "close", streams.wrap_async_close)


def _operation(request: Any) -> str | None:
    if request.method != "POST":
        return None
    path = request.url.path.partition("#")[0].rstrip("/")
    found = _OPERATIONS.get(path)
    return "chat" if found is None and _CONVERSATION.fullmatch(path) else found


def _site(request: Any) -> Site:
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    return site("mistral", host_of(request.url), key or None)


def _error(response: Any) -> Exception:
    """The failure that the SDK will raise from this response, some lines later."""
    found = sys.modules.get("mistralai.client.errors.sdkerror")
    status = response.status_code
    body = parsed(response.content) if hasattr(response, "_content") else {}
    message = body.get("message")
    kind = getattr(found, "SDKError", None)
    words = message if isinstance(message, str) else f"Status {status}"
    error: Exception = kind(words, response, "") if kind else RuntimeError(words)
    return error
