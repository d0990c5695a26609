"""LiteLLM.

Every public function passes through its decorator `client`, and every stream through one class.

Where LiteLLM calls another SDK, that SDK's patch writes the receipt and this layer only adds its
name. Where it speaks HTTP by itself (anthropic, gemini, bedrock, ...), this layer is the only
observer and writes the receipt.
"""

from __future__ import annotations

import sys
from functools import wraps
from inspect import isawaitable, iscoroutinefunction
from types import CellType, FunctionType, ModuleType
from typing import Any

from anchor_autopatch.host import patching, streams
from anchor_autopatch.host.calls import Call, Seen, enforce
from anchor_autopatch.host.identity import ObjectMemo
from anchor_autopatch.host.layers import active, leave_context, open_layer
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers.reading import facts, get, text, to_json
from anchor_autopatch.host.sites import host_of, site

_NAME = "litellm"
_SHAPE = "litellm.usage"
OPERATIONS = {
    "completion": "chat",
    "acompletion": "chat",
    "text_completion": "text_completion",
    "atext_completion": "text_completion",
    "embedding": "embeddings",
    "aembedding": "embeddings",
    "image_generation": "image_generation",
    "aimage_generation": "image_generation",
    "image_edit": "image_generation",
    "aimage_edit": "image_generation",
    "image_variation": "image_generation",
    "aimage_variation": "image_generation",
    "transcription": "transcription",
    "atranscription": "transcription",
    "speech": "speech",
    "aspeech": "speech",
    "responses": "responses",
    "aresponses": "responses",
    "rerank": "rerank",
    "arerank": "rerank",
}
# Answers that LiteLLM makes up without asking a provider.
_MOCKS = ("mock_response", "mock_tool_calls", "mock_timeout")


def version() -> str | None:
    """The installed version; LiteLLM keeps it only in its package metadata."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("litellm")
    except PackageNotFoundError:
        return None


def patch(utils: ModuleType) -> None:
    """Wraps the decorator (before `litellm.main` uses it) and the stream class.

    `utils` is `litellm.utils`.
    """
    patching.replace(utils, "client", _wrap_decorator)
    handler = sys.modules.get("litellm.litellm_core_utils.streaming_handler")
    wrapper = getattr(handler, "CustomStreamWrapper", None) or getattr(
        utils, "CustomStreamWrapper", None
    )
    if wrapper is None:
        raise patching.NotPatchableError("litellm.utils has no CustomStreamWrapper")
    patching.replace(wrapper, "__next__", _wrap_next)
    patching.replace(wrapper, "__anext__", _wrap_anext)
    main = sys.modules.get("litellm.main")
    if main is not None:
        _patch_late(main)


def _patch_late(main: ModuleType) -> None:
    """Reaches functions decorated before us, and every alias of them.

    Through the decorator's closure cell.
    """
    for name in OPERATIONS:
        cell = _original_cell(getattr(main, name, None))
        if cell is not None and not hasattr(cell.cell_contents, "_anchor_original"):
            ours = _wrap_function(cell.cell_contents)
            ours._anchor_original = cell.cell_contents
            cell.cell_contents = ours


def _original_cell(function: Any) -> CellType | None:
    while isinstance(function, FunctionType):
        names = function.__code__.co_freevars
        if "original_function" in names and function.__closure__ is not None:
            return function.__closure__[names.index("original_function")]
        function = getattr(function, "__wrapped__", None)
    return None


def _wrap_decorator(original: Any) -> Any:
    @wraps(original)
    def client(original_function: Any) -> Any:
        if original_function.__name__ not in OPERATIONS:
            return original(original_function)
        from anchor_autopatch.host.providers.litellm_refusals import asking

        return asking(original(_wrap_function(original_function)))

    return client


def _wrap_function(original: Any) -> Any:
    if iscoroutinefunction(original):

        @wraps(original)
        async def function_async(*args: Any, **kwargs: Any) -> Any:
            call = _open(original.__name__, args, kwargs)
            if call is None:
                return await original(*args, **kwargs)
            enforce(call)
            token = active.set(call)
            try:
                result = await original(*args, **kwargs)
            except BaseException as error:
                _fail(call, error, kwargs)
                raise
            finally:
                leave_context(token)
            _close(call, result, kwargs)
            return result

        return function_async

    @wraps(original)
    def function(*args: Any, **kwargs: Any) -> Any:
        call = _open(original.__name__, args, kwargs)
        if call is None:
            return original(*args, **kwargs)
        enforce(call)
        token = active.set(call)
        try:
            result = original(*args, **kwargs)
        except BaseException as error:
            _fail(call, error, kwargs)
            raise
        finally:
            leave_context(token)
        _close(call, result, kwargs)
        return result

    return function


@guarded(_NAME)
def _open(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
    if _NAME in patching.off or any(kwargs.get(mock) is not None for mock in _MOCKS):
        return None
    outer = open_layer()
    while outer is not None:
        # acompletion runs completion, and a fallback runs both again: one call of the application.
        if outer.target == _NAME:
            return None
        outer = outer.parent
    model = kwargs.get("model", args[0] if args else None)
    stream = bool(kwargs.get("stream"))
    return Call(
        _NAME, OPERATIONS[name], model if isinstance(model, str) else None, None, stream=stream
    )


def ask(name: str, kwargs: dict[str, Any]) -> None:
    """Raises AttributionRequired where the policy refuses this call."""
    call = _open(name, (), kwargs)
    if call is not None:
        enforce(call)


@guarded(_NAME)
def _fail(call: Call, error: BaseException, kwargs: dict[str, Any]) -> None:
    if not call.failed_children:
        _place(call, error, kwargs)
    call.billable = not _unsent(call)
    call.fail(error)


def _unsent(call: Call) -> bool:
    """True when LiteLLM answered by itself (a cache, a mock, a provider of the application's own).

    The HTTP clients count what is sent; where they are not watched, nobody knows.
    """
    http = patching.states.get("httpx")
    return not call.sends and not call.children and http is not None and http.patched


@guarded(_NAME)
def _close(call: Call, result: Any, kwargs: dict[str, Any]) -> None:
    if isawaitable(result):
        return
    if type(result).__name__ == "CustomStreamWrapper":
        _stream_calls.put(result, call)
        if call.children:
            return
        _place(call, result, kwargs)
        call.reader = _WrapperReader(call)
        streams.watch(result, call)
        return
    if call.children:
        if call.last_receipt_id is not None:
            _remember(result, call.last_receipt_id)
        call.leave_to_children()
        return
    if _unsent(call):
        call.leave_to_children()
        return
    _place(call, result, kwargs)
    call.adopted()
    call.succeed(read_usage(call.operation, result), result)


def _remember(result: object, receipt_id: str) -> None:
    from anchor_autopatch.host import identity

    identity.remember(result, receipt_id)


def _place(call: Call, result: Any, kwargs: dict[str, Any]) -> None:
    """Says who invoices a call that only LiteLLM saw.

    Its own provider name, and the host that it used.
    """
    details = getattr(kwargs.get("litellm_logging_obj"), "model_call_details", None) or {}
    hidden = getattr(result, "_hidden_params", None) or {}
    provider = (
        get(result, "custom_llm_provider")
        or get(hidden, "custom_llm_provider")
        or details.get("custom_llm_provider")
        or kwargs.get("custom_llm_provider")
        or "unmapped"
    )
    sent = get(details.get("additional_args"), "api_base")
    base = details.get("api_base") or sent or get(hidden, "api_base") or kwargs.get("api_base")
    key = details.get("api_key") or kwargs.get("api_key")
    call.site = site(
        provider, host_of(base) if base else None, key if isinstance(key, str) else None
    )
    call.provider = call.site.provider_for(call.request_model)


def read_request(_operation: str, body: dict[str, Any]) -> dict[str, object] | None:
    """What the price of a request depends on, where the answer may not repeat it."""
    return facts(body, "service_tier", "size", "quality", "n")


def read_usage(operation: str, answer: Any) -> Seen:
    """Usage and served model of an answer, in LiteLLM's own shape (OpenAI's names.

    Everything in prompt_tokens).
    """
    usage = to_json(get(answer, "usage"))
    images = get(answer, "data") if operation == "image_generation" else None
    counted: dict[str, object] | None = (
        {"images": len(images)} if isinstance(images, list) else None
    )
    return Seen(
        usage,
        _shape(operation) if usage else None,
        text(answer, "model"),
        text(answer, "id"),
        counted or facts(answer, "service_tier"),
    )


def _shape(operation: str) -> str:
    return {"responses": "openai.responses", "image_generation": "openai.images"}.get(
        operation, _SHAPE
    )


# Every stream of LiteLLM's, with or without an SDK below: each of its steps runs inside the call's
# context.
_stream_calls: ObjectMemo[Call] = ObjectMemo()


class _WrapperReader:
    """Reads what a finished or abandoned CustomStreamWrapper has gathered.

    It is asked once, at the end.
    """

    def __init__(self, call: Call) -> None:
        self.begun = False
        self._call = call
        self._seen = Seen()
        self._complete = False

    def feed(self, chunk: Any) -> bool:
        self.begun = True
        if self._seen.response_id is None:
            self._seen = Seen(
                model=text(chunk, "model"), response_id=text(chunk, "id"), source="partial"
            )
        return False

    def read_usage_of(self, chunks: list[Any], estimate: object) -> None:
        """Takes the usage that the provider sent among the chunks, else LiteLLM's own estimate.

        Marked as such.
        """
        sent = [usage for chunk in chunks if (usage := get(chunk, "usage")) is not None]
        if sent:
            total = sys.modules[
                "litellm.litellm_core_utils.streaming_handler"
            ].calculate_total_usage(chunks=chunks)
            self._seen = self._seen._replace(
                raw_usage=to_json(total), shape=_SHAPE, source="provider"
            )
            self._complete = True
        elif estimate is not None:
            self._seen = self._seen._replace(
                raw_usage=to_json(estimate), shape=_SHAPE, source="estimated"
            )

    def seen(self) -> Seen:
        return self._seen

    def complete(self) -> bool:
        if _unsent(self._call):
            # Asked when the stream is left: it was never started, so there was no provider call.
            self._call.leave_to_children()
        return self._complete


@guarded(_NAME)
def _take(wrapper: Any, call: Call, chunk: Any) -> None:
    if isinstance(call.reader, _WrapperReader):
        call.reader.feed(chunk)


@guarded(_NAME)
def _end(wrapper: Any, call: Call, error: BaseException | None) -> None:
    _stream_calls.pop(wrapper)
    reader = call.reader
    if not isinstance(reader, _WrapperReader) or (error is None and _unsent(call)):
        call.leave_to_children()
        return
    hidden = getattr(wrapper, "_last_returned_hidden_params", None)
    reader.read_usage_of(wrapper.chunks, get(hidden, "usage"))
    if error is not None:
        call.fail(error, reader.seen(), begun=reader.begun)
        return
    call.adopted()
    call.succeed(reader.seen())


def _wrap_next(original: Any) -> Any:
    @wraps(original)
    def __next__(self: Any) -> Any:  # noqa: N807 - the SDK's own name
        call = _stream_calls.get(self)
        if call is None:
            return original(self)
        token = active.set(call)
        try:
            chunk = original(self)
        except StopIteration:
            _end(self, call, None)
            raise
        except BaseException as error:
            _end(self, call, error)
            raise
        finally:
            leave_context(token)
        _take(self, call, chunk)
        return chunk

    return __next__


def _wrap_anext(original: Any) -> Any:
    @wraps(original)
    async def __anext__(self: Any) -> Any:  # noqa: N807 - the SDK's own name
        call = _stream_calls.get(self)
        if call is None:
            return await original(self)
        token = active.set(call)
        try:
            chunk = await original(self)
        except StopAsyncIteration:
            _end(self, call, None)
            raise
        except BaseException as error:
            _end(self, call, error)
            raise
        finally:
            leave_context(token)
        _take(self, call, chunk)
        return chunk

    return __anext__
