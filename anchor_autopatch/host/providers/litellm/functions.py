"""LiteLLM's public functions: which of them cost, and what runs around each."""

from __future__ import annotations

from contextvars import Token
from functools import wraps
from inspect import isawaitable, iscoroutinefunction
from types import CellType, FunctionType, ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture import identity
from anchor_autopatch.host.capture.calls import Call, enforce
from anchor_autopatch.host.capture.layers import active, leave_context, open_layer
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers.litellm import streams
from anchor_autopatch.host.providers.litellm.reading import NAME, Outer, place, read_usage, unsent

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
"""Functions of which one call is one provider call, whose answer can be read here, too."""
LAYERS = {
    name: operation
    for operation, names in {
        "chat": ("anthropic_messages",),
        "generate_content": ("generate_content", "generate_content_stream"),
        "responses": ("compact_responses", "get_responses"),
        "ocr": ("ocr",),
        "batch": ("create_batch", "retrieve_batch"),
        "fine_tuning": ("create_fine_tuning_job", "retrieve_fine_tuning_job"),
        "eval_run": ("create_run", "get_run"),
        "video": (
            "video_generation",
            "video_edit",
            "video_extension",
            "video_remix",
            "video_status",
        ),
    }.items()
    for plain in names
    for name in (plain, f"a{plain}")
} | {
    # Names that other modules of LiteLLM's give to other things.
    f"interactions.{name}": "interactions"
    for name in ("create", "acreate", "get", "aget")
}
"""Functions whose calls are read below, by another SDK's patch or by the HTTP client's."""
# Answers that LiteLLM makes up without asking a provider.
_MOCKS = ("mock_response", "mock_tool_calls", "mock_timeout")


def wrap_decorator(original: Any) -> Any:
    """Makes LiteLLM's decorator `client`, which sees each of its functions once."""

    @wraps(original)
    def client(original_function: Any) -> Any:
        if _name(original_function) is None:
            return original(original_function)
        from anchor_autopatch.host.providers.litellm.refusals import asking

        return asking(original(_wrap_function(original_function)))

    return client


def patch_late(main: ModuleType) -> None:
    """Reaches functions decorated before us, and every alias of them.

    Through the decorator's closure cell.
    """
    for name in (*OPERATIONS, *LAYERS):
        cell = _original_cell(getattr(main, name, None))
        if cell is not None and not hasattr(cell.cell_contents, "_anchor_original"):
            ours = _wrap_function(cell.cell_contents)
            ours._anchor_original = cell.cell_contents
            cell.cell_contents = ours


def ask(name: str, kwargs: dict[str, Any]) -> None:
    """Raises AttributionRequired where the policy refuses this call."""
    call = _open(name, (), kwargs)
    if call is not None:
        enforce(call)


def operation(name: str) -> str | None:
    """What a function does that is known by this name; None for one that costs nothing."""
    return OPERATIONS.get(name) or LAYERS.get(name)


def _name(function: Any) -> str | None:
    """The name under which a function is known here: its own, or behind that of its package."""
    own: str = function.__name__
    package = f"{function.__module__}.".split(".")[1]
    return next((name for name in (own, f"{package}.{own}") if operation(name)), None)


def _original_cell(function: Any) -> CellType | None:
    while isinstance(function, FunctionType):
        names = function.__code__.co_freevars
        if "original_function" in names and function.__closure__ is not None:
            return function.__closure__[names.index("original_function")]
        function = getattr(function, "__wrapped__", None)
    return None


def _wrap_function(original: Any) -> Any:
    name = _name(original) or original.__name__
    if iscoroutinefunction(original):

        @wraps(original)
        async def function_async(*args: Any, **kwargs: Any) -> Any:
            with _Running(name, args, kwargs) as running:
                return running.gave(await original(*args, **kwargs))

        return function_async

    @wraps(original)
    def function(*args: Any, **kwargs: Any) -> Any:
        with _Running(name, args, kwargs) as running:
            return running.gave(original(*args, **kwargs))

    return function


class _Running:
    """One call of a function: open while its block runs, ended by how the block ends."""

    __slots__ = ("_call", "_kwargs", "_result", "_token")

    def __init__(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._call = _open(name, args, kwargs)
        self._kwargs = kwargs
        self._result: Any = None
        self._token: Token[Call | None] | None = None

    def __enter__(self) -> _Running:
        if self._call is not None:
            enforce(self._call)
            self._token = active.set(self._call)
        return self

    def gave(self, result: Any) -> Any:
        """The result, which the call ends with."""
        self._result = result
        return result

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        call, token = self._call, self._token
        if call is None or token is None:
            return
        if error is not None:
            _fail(call, error, self._kwargs)
        leave_context(token)
        if error is None:
            _close(call, self._result, self._kwargs)


@guarded(NAME)
def _open(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
    if NAME in patching.off or any(kwargs.get(mock) is not None for mock in _MOCKS):
        return None
    outer = open_layer()
    while outer is not None:
        # acompletion runs completion, and a fallback runs both again: one call of the application.
        if outer.target == NAME:
            return None
        outer = outer.parent
    # Of the functions that are layers alone, some begin with another argument.
    first = args[0] if args and name in OPERATIONS else None
    model = kwargs.get("model", first)
    call = Call(
        NAME,
        operation(name) or "other",
        model if isinstance(model, str) else None,
        None,
        stream=bool(kwargs.get("stream")) or "_stream" in name,
    )
    call.billable = name in OPERATIONS
    call.reader = Outer(kwargs.get("litellm_logging_obj"))
    return call


@guarded(NAME)
def _fail(call: Call, error: BaseException, kwargs: dict[str, Any]) -> None:
    if not call.failed_children:
        place(call, error, kwargs)
    if not call.billable and unsent(call):
        # A layer alone, and nothing was sent: the application's own mistake.
        call.leave_to_children()
        return
    call.billable = call.billable and not unsent(call)
    call.fail(error)


@guarded(NAME)
def _close(call: Call, result: Any, kwargs: dict[str, Any]) -> None:
    if isawaitable(result):
        return
    if type(result).__name__ == "CustomStreamWrapper":
        streams.watch(result, call, kwargs)
        return
    if call.children:
        if call.last_receipt_id is not None:
            identity.remember(result, call.last_receipt_id)
        call.leave_to_children()
        return
    if unsent(call) or not call.billable:
        call.leave_to_children()
        return
    place(call, result, kwargs)
    call.adopted()
    call.succeed(read_usage(call.operation, result), result)
