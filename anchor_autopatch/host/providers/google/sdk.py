"""The Google Gen AI SDK, 1.10 and later: Gemini API and Vertex AI, below every resource method.

The choke point sees each HTTP request by itself, so automatic function calling (one
`generate_content`, several billed requests, of which the SDK returns only the last one's usage)
leaves a receipt for each.
"""

from __future__ import annotations

import json
import sys
from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture import attempts, streams
from anchor_autopatch.host.capture.calls import Call, Opened, Seen, enforce, wrap, wrap_async
from anchor_autopatch.host.capture.identity import ObjectMemo
from anchor_autopatch.host.capture.layers import active, leave_context
from anchor_autopatch.host.capture.sites import Site, host_of, site
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers import objects
from anchor_autopatch.host.providers.google import objects as google_objects
from anchor_autopatch.host.providers.reading import facts, get, text

_NAME = "google-genai"
OPERATIONS = {
    "generateContent": "generate_content",
    "streamGenerateContent": "generate_content",
    "embedContent": "embeddings",
    "batchEmbedContents": "embeddings",
    "asyncBatchEmbedContent": "embeddings",
    "predict": "image_generation",
}
CACHE = "cache_creation"
_SHAPES = {"embeddings": "gemini.embeddings", CACHE: "gemini.cached_content"}
_WHOLE_BODY = 16_384
"""Up to this many characters the body is parsed whole.

A longer one (an inline image) is searched from its end.
"""
_decode = json.JSONDecoder().raw_decode


def version() -> str | None:
    """The imported SDK's version."""
    return getattr(sys.modules.get("google.genai.version"), "__version__", None)


def patch(api_client: ModuleType) -> None:
    """Wraps the choke points; `api_client` is `google.genai._api_client`."""
    adapter = _Adapter()
    client = api_client.BaseApiClient
    patching.replace(client, "request", wrap(adapter))
    patching.replace(client, "async_request", wrap_async(adapter))
    patching.replace(client, "request_streamed", adapter.wrap_streamed)
    patching.replace(client, "async_request_streamed", adapter.wrap_async_streamed)
    for name in ("retry_args", "_retry_args"):
        patching.replace_if_present(api_client, name, _wrap_retry_args)


def read_request(operation: str, body: dict[str, Any]) -> dict[str, object] | None:
    """What the price of a request depends on, where the answer does not say it."""
    if operation == "image_generation":
        return facts(body.get("parameters"), "sampleImageSize", "aspectRatio")
    if operation == CACHE:
        return facts(body, "ttl")
    return None


def read_usage(operation: str, body: Any) -> Seen:
    """Usage and served model of an answer's JSON text (or of its dict, in SDKs before 1.11)."""
    answer = body if isinstance(body, dict) else _fields(body or "")
    if operation == "image_generation":
        return _predictions(answer, body)
    usage = answer.get("usageMetadata")
    shape = _SHAPES.get(operation, "gemini.generate_content")
    if usage is None and operation == "embeddings":
        usage, shape = _statistics(body), "gemini.predictions"
    return Seen(
        json.dumps(usage, separators=(",", ":")) if usage else None,
        shape if usage else None,
        answer.get("modelVersion") or _cached_model(operation, answer),
        answer.get("responseId") or _cache_name(operation, answer),
        _lifetime(answer) if operation == CACHE else _grounding(answer, body),
    )


def _statistics(body: Any) -> dict[str, Any] | None:
    """Vertex AI's embeddings tell token counts text by text, beside each vector."""
    answer = body if isinstance(body, dict) else _parsed(body or "")
    found = [
        get(get(one, "embeddings"), "statistics") for one in answer.get("predictions") or () if one
    ]
    counted = [one for one in found if one]
    return {"statistics": counted} if counted else None


def _cached_model(operation: str, answer: dict[str, Any]) -> str | None:
    model = text(answer, "model") if operation == CACHE else None
    return model.rpartition("models/")[2] if model else None


def _lifetime(answer: dict[str, Any]) -> dict[str, object] | None:
    """From when to when a cache is stored, which is billed by the hour."""
    return facts(answer, "createTime", "expireTime")


def _cache_name(operation: str, answer: dict[str, Any]) -> str | None:
    return text(answer, "name") if operation == CACHE else None


def _grounding(answer: dict[str, Any], body: Any) -> dict[str, object] | None:
    """How often Google Search or Maps was asked for this answer; None where none was."""
    if isinstance(body, str) and '"groundingMetadata"' not in body:
        return None
    candidates = answer.get("candidates")
    if candidates is None and isinstance(body, str):
        grounding = [_last_value(body, "groundingMetadata")]
    else:
        grounding = [get(one, "groundingMetadata") for one in candidates or ()]
    searches = sum(len(get(one, "webSearchQueries") or ()) for one in grounding)
    places = sum(
        any(get(chunk, "maps") for chunk in get(one, "groundingChunks") or ()) for one in grounding
    )
    counted = {"searches": searches, "map_queries": places}
    return {name: number for name, number in counted.items() if number} or None


def _predictions(answer: dict[str, Any], body: Any) -> Seen:
    images = answer.get("predictions")
    if not isinstance(images, list):
        images = _parsed(body).get("predictions", []) if isinstance(body, str) else []
    # A picture that the safety filter took back is not billed.
    made = [
        image for image in images if isinstance(image, dict) and not image.get("raiFilteredReason")
    ]
    return Seen(facts={"images": len(made)} if images else None)


def _fields(body: str) -> dict[str, Any]:
    """The top-level fields of an answer that a receipt needs; {} for one that is no JSON object."""
    if len(body) <= _WHOLE_BODY:
        return _parsed(body)
    # json.loads takes 470 us for a 1.4 MB inline image; these fields stand behind the content
    # (measured: 1 us).
    names = ("usageMetadata", "modelVersion", "responseId")
    found = {name: _last_value(body, name) for name in names}
    if not isinstance(found["usageMetadata"], dict):
        return _parsed(body)
    return found


def _parsed(body: str) -> dict[str, Any]:
    # The SDK itself tells the application of a broken answer, which was billed all the same.
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _last_value(body: str, name: str) -> Any:
    # Inside a text the quotes would be escaped, so this can only be a key.
    position = body.rfind(f'"{name}"')
    colon = body.find(":", position)
    if position < 0 or colon < 0:
        return None
    start = colon + 1
    while body[start : start + 1].isspace():
        start += 1
    try:
        return _decode(body, start)[0]
    except ValueError:
        return None


class _Adapter:
    """This SDK's side of `calls.wrap`."""

    def __init__(self) -> None:
        guard = guarded(_NAME)
        self.open = guard(self._open)
        self.close = guard(self._close)
        self.fail = guard(self._fail)
        self._sites: ObjectMemo[tuple[object, Site]] = ObjectMemo()

    def refused_injection(self, call: Call, error: BaseException) -> bool:
        """Nothing is ever added to these requests."""
        return False

    def _open(
        self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any], stream: bool = False
    ) -> Opened | None:
        if _NAME in patching.off:
            return None
        path = args[1] if len(args) > 1 else kwargs["path"]
        body = next(iter(args[2:3]), None) or kwargs.get("request_dict")
        model, _, verb = path.partition("?")[0].rpartition("models/")[2].partition(":")
        operation = OPERATIONS.get(verb)
        if verb == "predict" and "embedding" in model:
            operation = "embeddings"
        elif path.endswith("cachedContents"):
            operation = CACHE if _method(args, kwargs) == "POST" else None
        call = Call(_NAME, operation or "other", model or None, self._site(client), stream=stream)
        call.billable = operation is not None
        call.attempts = 1
        if operation is not None:
            call.facts = read_request(operation, body) if isinstance(body, dict) else None
            call.reader = _ChunkReader(operation)
        else:
            asked = google_objects.request(_method(args, kwargs), path.partition("?")[0])
            call.reader = asked and (asked, body)
        return Opened(call, args, kwargs)

    def _site(self, client: Any) -> Site:
        base_url = client._http_options.base_url
        known = self._sites.get(client)
        if known is not None and known[0] is base_url:
            return known[1]
        vertex = bool(client.vertexai)
        found = site(
            "vertex_ai" if vertex else "gemini",
            host_of(base_url) if base_url else None,
            client.api_key,
        )
        self._sites.put(client, (base_url, found))
        return found

    def _close(self, call: Call, result: Any) -> None:
        if not call.billable and call.reader is None:
            return
        call.adopted()
        call.http_status = 200
        body = result if isinstance(result, dict) else result.body
        if not call.billable:
            _close_object(call, body)
            return
        # The parsed object that the application gets is made later, above: it is known by its
        # response id.
        call.succeed(read_usage(call.operation, body))

    def _fail(self, call: Call, error: BaseException) -> None:
        call.fail(error)

    def wrap_streamed(self, original: Any) -> Any:
        """Makes the lazy generator `request_streamed`; the request is sent at its first step."""

        @wraps(original)
        def request_streamed(client: Any, *args: Any, **kwargs: Any) -> Any:
            opened = self.open(client, args, kwargs, True)
            if opened is not None:
                enforce(opened.call)
            chunks = original(client, *args, **kwargs)
            if opened is None or not opened.call.billable:
                yield from chunks
                return
            _streaming(opened.call)
            yield from streams.each(_steps(chunks, opened.call), opened.call, chunks)

        return request_streamed

    def wrap_async_streamed(self, original: Any) -> Any:
        """Makes the coroutine `async_request_streamed`, whose result is iterated later."""

        @wraps(original)
        async def async_request_streamed(client: Any, *args: Any, **kwargs: Any) -> Any:
            opened = self.open(client, args, kwargs, True)
            if opened is None or not opened.call.billable:
                return await original(client, *args, **kwargs)
            call = opened.call
            enforce(call)
            token = active.set(call)
            try:
                chunks = await original(client, *args, **kwargs)
            except BaseException as error:
                self.fail(call, error)
                raise
            finally:
                leave_context(token)
            _streaming(call)
            call.http_status = 200
            return streams.AsyncChunks(chunks, call=call)

        return async_request_streamed


@guarded(_NAME)
def _streaming(call: Call) -> None:
    call.adopted()


def _method(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    return str(args[0] if args else kwargs["http_method"]).upper()


def _wrap_retry_args(original: Any) -> Any:
    @wraps(original)
    def retry_args(*args: Any, **kwargs: Any) -> Any:
        found = original(*args, **kwargs)
        return _with_note(found) or found

    return retry_args


@guarded(_NAME)
def _with_note(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a tenacity retrier, told what it sends again."""
    theirs = arguments.get("before_sleep") or (lambda _state: None)
    ours = attempts.before_retry(_NAME, lambda state: state.outcome.exception())
    return {**arguments, "before_sleep": ours(theirs)}


def _close_object(call: Call, body: Any) -> None:
    asked, sent = call.reader
    answer = google_objects.fields(body)
    found = google_objects.read(asked, answer, sent)
    call.billable = True
    call.operation = asked.operation
    if len(found) == 1 and not asked.retrieved:
        objects.settle(call, found[0], None, retrieved=False)
    else:
        objects.each(call, asked, found)


def _steps(chunks: Any, call: Call) -> Any:
    """The chunks, each fetched with the call marked as open.

    The request is sent inside the first step.
    """
    while True:
        token = active.set(call)
        try:
            chunk = next(chunks)
        except StopIteration:
            return
        finally:
            leave_context(token)
        call.http_status = 200
        yield chunk


class _ChunkReader:
    """Chunks of generated content: the usage is cumulative, the last one holds."""

    def __init__(self, operation: str) -> None:
        self.begun = False
        self._operation = operation
        self._last: Any = None
        self._with_usage: Any = None
        self._ended = False

    def feed(self, chunk: Any) -> bool:
        self.begun = True
        body = chunk if isinstance(chunk, dict) else chunk.body
        if '"usageMetadata"' in body:
            self._with_usage = body
            self._ended = '"finishReason"' in body
        self._last = body
        return False

    def seen(self) -> Seen:
        body = self._with_usage or self._last
        if body is None:
            return Seen()
        seen = read_usage(self._operation, body)
        return seen if self._ended else seen._replace(source="partial")

    def complete(self) -> bool:
        return self._ended
