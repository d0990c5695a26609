"""The OpenAI SDK, 1.30 and later: which paths cost money, and how their answers tell usage."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from anchor_autopatch.host.capture.calls import NOTHING, Seen
from anchor_autopatch.host.capture.evidence import Counts
from anchor_autopatch.host.capture.streams import Reader
from anchor_autopatch.host.providers import stainless
from anchor_autopatch.host.providers.openai import fees as openai_fees
from anchor_autopatch.host.providers.openai import objects as openai_objects
from anchor_autopatch.host.providers.openai import tools as openai_tools
from anchor_autopatch.host.providers.reading import facts, get, text, to_json

OPERATIONS = {
    "/chat/completions": "chat",
    "/completions": "text_completion",
    "/responses": "responses",
    "/responses/compact": "responses",
    "/embeddings": "embeddings",
    "/images/generations": "image_generation",
    "/images/edits": "image_generation",
    "/images/variations": "image_generation",
    "/audio/speech": "speech",
    "/audio/transcriptions": "transcription",
    "/audio/translations": "transcription",
    # Other providers that speak this dialect: xAI, OpenRouter, Mistral, Perplexity, Voyage.
    "/stt": "transcription",
    "/tts": "speech",
    "/images": "image_generation",
    "/rerank": "rerank",
    "/ocr": "ocr",
    "/contextualizedembeddings": "embeddings",
    "/multimodalembeddings": "embeddings",
    "/decisions": "decision",
    **openai_fees.OPERATIONS,
}
_SHAPES = {
    "chat": "openai.chat",
    "text_completion": "openai.chat",
    "embeddings": "openai.chat",
    "responses": "openai.responses",
    "image_generation": "openai.images",
    "transcription": "openai.transcription",
    "rerank": "openai.chat",
    "video": "openai.chat",
    "run": "openai.chat",
    "batch": "openai.responses",
    "decision": "openai.responses",
}
_COUNTED_EVENTS = frozenset(
    f"response.{part}.delta"
    for part in (
        "output_text",
        "refusal",
        "reasoning_text",
        "function_call_arguments",
        "custom_tool_call_input",
        "mcp_call_arguments",
        "code_interpreter_call_code",
    )
)
_TOLD_BY_ANSWER = ("chat", "responses", "embeddings")
_TERMINAL_EVENTS = ("response.completed", "response.incomplete", "response.failed")


def version() -> str | None:
    """The imported SDK's version."""
    return getattr(sys.modules.get("openai._version"), "__version__", None)


def patch(base_client: ModuleType) -> None:
    """Wraps the choke points; `base_client` is `openai._base_client`."""
    stainless.patch(FAMILY, base_client, sys.modules["openai._streaming"])


def read_request(operation: str, body: dict[str, Any]) -> dict[str, object] | None:
    """What the price of a request depends on, where the answer may not repeat it."""
    if operation in _TOLD_BY_ANSWER:
        return None
    if operation == "image_generation":
        return facts(body, "size", "quality", "n")
    if operation == "speech":
        spoken = body.get("input")
        return {"characters": len(spoken)} if isinstance(spoken, str) else None
    return openai_fees.read_request(operation, body)


def read_usage(operation: str, answer: Any) -> Seen:
    """Usage, served model and tier of a parsed answer or of its JSON."""
    if operation == "chat" and not isinstance(answer, dict):
        return _read_chat(answer)
    if operation == "image_generation":
        return _read_images(answer)
    if operation in openai_fees.READ_HERE:
        return openai_fees.read_usage(operation, answer)
    usage = to_json(get(answer, "usage"))
    if operation == "responses":
        found = {**(facts(answer, "service_tier") or {}), **openai_tools.read(answer)} or None
    elif operation in ("chat", "decision"):
        found = facts(answer, "service_tier")
    else:
        found = _duration(answer, usage)
    return Seen(
        usage,
        _SHAPES.get(operation) if usage else None,
        text(answer, "model"),
        text(answer, "id"),
        found,
    )


def _read_chat(answer: Any) -> Seen:
    # The commonest answer of all, without the readers for any shape: 2 us less.
    usage = to_json(getattr(answer, "usage", None))
    model = getattr(answer, "model", None)
    ident = getattr(answer, "id", None)
    tier = getattr(answer, "service_tier", None)
    return Seen(
        usage,
        "openai.chat" if usage else None,
        model if isinstance(model, str) else None,
        ident if isinstance(ident, str) else None,
        {"service_tier": tier} if isinstance(tier, str) else None,
    )


def _read_images(answer: Any) -> Seen:
    usage = to_json(get(answer, "usage"))
    images = get(answer, "data")
    counted: dict[str, object] = {"images": len(images)} if isinstance(images, list) else {}
    drawn = to_json(get(answer, "svg_usage"))
    if drawn is not None:
        # Vector drawings are another model's, on top.
        counted["svg_usage"] = json.loads(drawn)
    described = facts(answer, "size", "quality") or {}
    found = {**counted, **{f"image_{name}": value for name, value in described.items()}}
    return Seen(usage, "openai.images" if usage else None, facts=found or None)


def _duration(answer: Any, usage: str | None) -> dict[str, object] | None:
    # whisper-1 with verbose_json: the length of the audio stands in the answer, not in a usage
    # object.
    return None if usage else facts(answer, "duration")


def count(counts: Counts, delta: Any) -> bool:
    """Counts what one chunk of a choice holds: text, thoughts, a refusal, arguments of a tool."""
    words = (
        get(delta, "content")
        or get(delta, "text")
        or get(delta, "reasoning_content")
        or get(delta, "refusal")
        or "".join(_arguments(delta))
    )
    if not words:
        return False
    counts.characters += len(words)
    counts.chunks += 1
    return True


def _arguments(delta: Any) -> Iterator[str]:
    for call in get(delta, "tool_calls") or ():
        yield get(get(call, "function"), "arguments") or ""


class _ChatReader(Counts):
    """Chunks of a chat or legacy completion: usage stands in the last chunk that has it."""

    def __init__(self, *, injected: bool) -> None:
        self.begun = False
        self._injected = injected
        self._usage: Any = None
        self._last: Any = None

    def feed(self, chunk: Any) -> bool:
        if self.begun:
            # Nearly every chunk: one choice with text. In half of the steps that the functions for
            # any shape take, which is most of what a chunk costs among the caches of its parsing.
            try:
                (choice,) = chunk.choices
                words = choice.delta.content
                if words and chunk.usage is None:
                    self.characters += len(words)
                    self.chunks += 1
                    return False
            except (AttributeError, TypeError, ValueError):
                pass
        return self._feed_any(chunk)

    def _feed_any(self, chunk: Any) -> bool:
        """Takes the first chunk, and those that hold something else than a piece of text."""
        self.begun = True
        usage = get(chunk, "usage")
        if usage is None:
            usage = self._passing(chunk)
        if usage is None:
            return False
        self._usage = usage
        self._last = chunk
        # Only a chunk that is there because of us may be hidden: others carry the last words of a
        # choice.
        return self._injected and not get(chunk, "choices")

    def _passing(self, chunk: Any) -> Any:
        """Counts a chunk of the answer; gives the usage that Groq puts into its last one."""
        if self._last is None:
            self._last = chunk
        counted = False
        for choice in get(chunk, "choices") or ():
            counted = count(self, get(choice, "delta") or choice) or counted
        return None if counted else _groq_usage(chunk)

    def seen(self) -> Seen:
        chunk = self._last
        if chunk is None:
            return NOTHING
        usage = to_json(self._usage)
        return Seen(
            usage,
            "openai.chat" if usage else None,
            text(chunk, "model"),
            text(chunk, "id"),
            facts(chunk, "service_tier"),
        )

    def complete(self) -> bool:
        return self._usage is not None


def _groq_usage(chunk: Any) -> Any:
    # Groq tells usage there, asked or not; the SDK's model has no such field.
    extra = chunk if type(chunk) is dict else getattr(chunk, "__pydantic_extra__", None)
    return get(extra.get("x_groq"), "usage") if extra else None


class _ResponsesReader(Counts):
    """Events of a response: usage stands in the terminal event."""

    def __init__(self) -> None:
        self.begun = False
        self._first: Any = None
        self._final: Any = None

    def feed(self, chunk: Any) -> bool:
        self.begun = True
        event = chunk
        kind = get(event, "type")
        if kind in _TERMINAL_EVENTS:
            self._final = get(event, "response")
        elif kind in _COUNTED_EVENTS:
            words = get(event, "delta")
            self.characters += len(words or "")
            self.chunks += 1
        elif kind == "response.created":
            self._first = get(event, "response")
        return False

    def seen(self) -> Seen:
        answer = self._final or self._first
        return read_usage("responses", answer) if answer is not None else NOTHING

    def complete(self) -> bool:
        return self._final is not None


class _EventReader:
    """Events of image and audio streams: every completed event carries the usage of its part."""

    def __init__(self, operation: str) -> None:
        self.begun = False
        self._operation = operation
        self._completed: list[Any] = []

    def feed(self, chunk: Any) -> bool:
        self.begun = True
        if get(chunk, "usage") is not None:
            self._completed.append(chunk)
        return False

    def seen(self) -> Seen:
        if not self._completed:
            return NOTHING
        last = self._completed[-1]
        images: dict[str, object] | None = None
        if self._operation == "image_generation":
            images = {"images": len(self._completed)}
        return Seen(to_json(get(last, "usage")), _SHAPES.get(self._operation), facts=images)

    def complete(self) -> bool:
        return bool(self._completed)


def _reader(operation: str, injected: bool) -> Reader:
    if operation == "run":
        return openai_objects.RunReader()
    if operation in ("chat", "text_completion"):
        return _ChatReader(injected=injected)
    if operation == "responses":
        return _ResponsesReader()
    return _EventReader(operation)


FAMILY = stainless.Family(
    name="openai",
    provider="openai",
    class_providers={"AzureOpenAI": "azure", "BedrockOpenAI": "bedrock"},
    operations=OPERATIONS,
    request_id_header="x-request-id",
    request_facts=read_request,
    read_usage=read_usage,
    stream_reader=_reader,
    usage_on_request="chat",
    stream_helpers={
        "openai.lib.streaming.chat._completions": (
            "ChatCompletionStream",
            "AsyncChatCompletionStream",
        ),
        "openai.lib.streaming.responses._responses": ("ResponseStream", "AsyncResponseStream"),
    },
    object_request=openai_objects.request,
    read_objects=openai_objects.read,
)
