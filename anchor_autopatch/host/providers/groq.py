"""The Groq SDK, 0.11 and later: made by the same generator as openai's, with usage in `x_groq`."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from anchor_autopatch.host.capture.calls import Seen
from anchor_autopatch.host.capture.evidence import Counts
from anchor_autopatch.host.capture.streams import Reader
from anchor_autopatch.host.providers import stainless
from anchor_autopatch.host.providers.openai import objects as openai_objects
from anchor_autopatch.host.providers.openai import sdk as openai
from anchor_autopatch.host.providers.reading import facts, get, text, to_json

OPERATIONS = {
    "/chat/completions": "chat",
    "/embeddings": "embeddings",
    "/audio/speech": "speech",
    "/audio/transcriptions": "transcription",
    "/audio/translations": "transcription",
}


def version() -> str | None:
    """The imported SDK's version."""
    return getattr(sys.modules.get("groq._version"), "__version__", None)


def patch(base_client: ModuleType) -> None:
    """Wraps the choke points; `base_client` is `groq._base_client`."""
    stainless.patch(FAMILY, base_client, sys.modules["groq._streaming"])


def read_request(operation: str, body: dict[str, Any]) -> dict[str, object] | None:
    """What the price of a request depends on, where the answer may not repeat it."""
    return openai.read_request(operation, body)


def read_usage(operation: str, answer: Any) -> Seen:
    """Usage of an answer; a compound system's is told for each of its models too."""
    seen = openai.read_usage(operation, answer)
    named = text(get(answer, "x_groq"), "id")
    return _with_breakdown(seen, answer)._replace(response_id=seen.response_id or named)


def _with_breakdown(seen: Seen, holder: Any) -> Seen:
    models = to_json(get(holder, "usage_breakdown"))
    return (
        seen._replace(facts={**(seen.facts or {}), "usage_breakdown": models}) if models else seen
    )


class _ChunkReader(Counts):
    """Chunks of a chat: the last one tells usage in `x_groq`, in `usage` where it was asked for."""

    def __init__(self) -> None:
        self.begun = False
        self._first: Any = None
        self._last: Any = None
        self._usage: Any = None

    def feed(self, chunk: Any) -> bool:
        self.begun = True
        if self._first is None:
            self._first = chunk
        # A dict where the application reads the lines by itself.
        for choice in get(chunk, "choices") or ():
            openai.count(self, get(choice, "delta"))
        usage = get(chunk, "usage") or get(get(chunk, "x_groq"), "usage")
        if usage is not None:
            self._usage, self._last = usage, chunk
        return False

    def seen(self) -> Seen:
        usage = to_json(self._usage)
        chunk = self._last or self._first
        seen = Seen(
            usage,
            "openai.chat" if usage else None,
            text(chunk, "model"),
            text(chunk, "id"),
            facts(chunk, "service_tier"),
        )
        return _with_breakdown(seen, get(chunk, "x_groq"))

    def complete(self) -> bool:
        return self._usage is not None


def _reader(_operation: str, _injected: bool) -> Reader:
    return _ChunkReader()


FAMILY = stainless.Family(
    name="groq",
    provider="groq",
    class_providers={},
    operations=OPERATIONS,
    request_id_header="x-request-id",
    request_facts=read_request,
    read_usage=read_usage,
    stream_reader=_reader,
    usage_on_request=None,
    object_request=openai_objects.request,
    read_objects=openai_objects.read,
)
