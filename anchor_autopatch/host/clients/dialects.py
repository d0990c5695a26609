"""How each dialect's answers tell usage; the SDK families' own readers, where there are any.

Everything here takes plain dicts: the JSON of an answer, or of one event of a stream.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from anchor_autopatch.host.capture.calls import Seen
from anchor_autopatch.host.capture.streams import Reader
from anchor_autopatch.host.providers.amazon import bedrock_usage
from anchor_autopatch.host.providers.anthropic import sdk as anthropic
from anchor_autopatch.host.providers.cohere import sdk as cohere
from anchor_autopatch.host.providers.google import interactions as google_interactions
from anchor_autopatch.host.providers.google import sdk as google_genai
from anchor_autopatch.host.providers.mistral import sdk as mistralai
from anchor_autopatch.host.providers.openai import sdk as openai
from anchor_autopatch.host.providers.reading import get, text


class Dialect(NamedTuple):
    """Readers of one wire format."""

    read_request: Callable[[str, dict[str, Any]], dict[str, object] | None]
    """(operation, request body) -> what the price depends on."""
    read_usage: Callable[[str, dict[str, Any]], Seen]
    """(operation, answer) -> what it tells."""
    reader: Callable[[str], Reader]
    """operation -> a reader of a stream's events."""


def _openai_reader(operation: str) -> Reader:
    return openai.FAMILY.stream_reader(operation, False)


def _message_reader() -> Reader:
    return anthropic.FAMILY.stream_reader("chat", False)


class LastEvent:
    """Events of which the last one with usage tells all (Gemini: its counts are cumulative)."""

    def __init__(self, operation: str, read_usage: Callable[[str, dict[str, Any]], Seen]) -> None:
        self.begun = False
        self._operation = operation
        self._read_usage = read_usage
        self._last: dict[str, Any] = {}
        self._ended = False

    def feed(self, chunk: Any) -> bool:
        """Keeps the chunk where it tells usage; nothing is ever hidden."""
        self.begun = True
        if not self._last or _tells_usage(chunk):
            self._last = chunk
        self._ended = self._ended or _is_final(chunk)
        return False

    def seen(self) -> Seen:
        """What the last one told."""
        seen = self._read_usage(self._operation, self._last)
        return seen if self._ended else seen._replace(source="partial")

    def complete(self) -> bool:
        """True when a chunk has said that it is the last."""
        return self._ended


def _tells_usage(event: dict[str, Any]) -> bool:
    names = ("usageMetadata", "usage", "delta", "response", "interaction")
    return any(event.get(name) for name in names)


def _is_final(event: dict[str, Any]) -> bool:
    candidates = event.get("candidates")
    if isinstance(candidates, list):
        return any(get(candidate, "finishReason") for candidate in candidates)
    kind = event.get("type") or event.get("event_type")
    return kind in ("message-end", "stream-end", "interaction.complete", "interaction.completed")


def _read_bedrock(operation: str, answer: dict[str, Any]) -> Seen:
    """Converse has a usage of its own; an invoked model answers in its own words."""
    if operation == "invoke_model":
        seen = bedrock_usage.native(answer)
        return seen._replace(model=seen.model or text(answer, "model"))
    return bedrock_usage.answer(operation, answer, None)


def _bedrock_reader(operation: str) -> Reader:
    reader: Any = bedrock_usage.EventReader(operation)
    return reader  # type: ignore[no-any-return]  # a Reader in all but a parameter's name


def _bedrock_facts(_operation: str, body: dict[str, Any]) -> dict[str, object] | None:
    return bedrock_usage.request_facts(body)


def _last_event(read_usage: Callable[[str, dict[str, Any]], Seen]) -> Callable[[str], Reader]:
    return lambda operation: LastEvent(operation, read_usage)


DIALECTS = {
    "openai": Dialect(openai.read_request, openai.read_usage, _openai_reader),
    "anthropic": Dialect(
        anthropic.read_request, anthropic.read_usage, lambda _operation: _message_reader()
    ),
    "gemini": Dialect(
        google_genai.read_request, google_genai.read_usage, _last_event(google_genai.read_usage)
    ),
    "bedrock": Dialect(_bedrock_facts, _read_bedrock, _bedrock_reader),
    "cohere": Dialect(cohere.read_request, cohere.read_usage, _last_event(cohere.read_usage)),
    "interactions": Dialect(
        google_interactions.read_request,
        google_interactions.read_usage,
        _last_event(google_interactions.read_usage),
    ),
    "mistral": Dialect(
        mistralai.read_request, mistralai.read_usage, _last_event(mistralai.read_usage)
    ),
}
